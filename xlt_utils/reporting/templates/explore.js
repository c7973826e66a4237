// The explorer's choices and tables, as explore/choice.py and explore/view_tables.py make them for the notebook.
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const form = document.querySelector(".choices"), place = document.getElementById("views");
  const runMenu = document.getElementById("run"), facts = document.getElementById("facts");
  const LABELS = { target: "target", arm: "arm", language: "language", tokens: "P (tokens)", examples: "I (examples)", seed: "seed", scale: "scale" };
  const ALL = "all", OTHERS = "others", NARROW = 760, WIDTH = 180; // pixels: of a window with one view a row, and of a view there
  const scales = data.scales.map((scale) => scale.name);
  const size = (number) => data.sizes[number], sum = (condition, examples) => (examples ? `${condition}, ${size(examples)}` : condition);
  const runs = data.runs.map(([cell, condition, arm, seed, tokens, examples, page]) => ({
    cell, condition, arm, seed, tokens, examples, page, study: data.study, P: size(tokens), I: size(examples), square: sum(condition, examples),
  }));
  const choice = { ...data.first }, menus = {};
  let picked = null, shown = null, drawing = Promise.resolve();

  // every score once, with its run; the values of the scales stay in the row
  const scores = data.scores.map(([run, target, language, ...values]) => ({
    run: runs[run], target: data.targets[target], language: data.languages[language], values, n: values[2 * scales.length],
  }));

  function text(number) {
    return (number < 0 ? "−" : "") + Math.abs(number).toFixed(3);
  }

  function rowsOfChoice() {
    const at = 2 * scales.indexOf(choice.scale);
    return scores
      .filter(({ run, target, values }) =>
        target === choice.target && values[at] !== null &&
        (choice.arm === ALL || run.arm === choice.arm || run.arm === "") && (choice.seed === ALL || run.seed === choice.seed))
      .map(({ run, language, values, n }) => {
        const value = values[at], margin = values[at + 1];
        const interval = margin === null ? "–" : `${text(value - margin)} to ${text(value + margin)}`;
        return { ...run, language, name: data.names[language], value, interval, n };
      });
  }

  function tablesOfChoice() {
    const rows = rowsOfChoice(), ofLanguage = rows.filter((row) => row.language === choice.language);
    const overI = ofLanguage.filter((row) => row.tokens === choice.tokens);
    const after = overI.filter((row) => row.examples), before = overI.filter((row) => !row.examples);
    const lines = [...new Set(after.map((row) => row.condition))];
    const begins = lines.length ? lines.flatMap((condition) => before.map((row) => ({ ...row, condition }))) : before;
    const english = new Map(rows.filter((row) => row.language === "en").map((row) => [row.cell, row.value]));
    const isRung = (run) => run.tokens === choice.tokens && (!run.examples || run.examples === choice.examples);
    const isRun = new Set(rows.map((row) => row.cell));
    const target = data.targets.indexOf(choice.target);
    return {
      surface: ofLanguage,
      examples: [...begins, ...after].map((row) => ({ ...row, rung: row.I })),
      tokens: ofLanguage.filter((row) => !row.examples || row.examples === choice.examples).map((row) => ({ ...row, rung: row.P })),
      languages: rows.filter((row) => row.tokens === choice.tokens && row.examples === choice.examples),
      English: rows.filter((row) => row.language === OTHERS && english.has(row.cell)).map((row) => ({ ...row, others: row.value, english: english.get(row.cell) })),
      baseline: ((data.baselines[choice.target] || {})[choice.scale] || []).map(([x, y]) => ({ study: data.study, english: x, others: y })),
      curves: data.curves
        .filter(([run, task]) => task === target && isRung(runs[run]) && isRun.has(runs[run].cell))
        .flatMap(([run, , steps, losses]) => steps.map((step, at) => ({ ...runs[run], step, loss: losses[at] }))),
      costs: data.costs,
    };
  }

  function filled(text, words) {
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in words ? words[name] : whole));
  }

  function chartOfChoice(tables, words) {
    const chart = JSON.parse(JSON.stringify(data.charts[choice.scale]), (key, value) => (typeof value === "string" ? filled(value, words) : value));
    const views = [...chart.concat[0].vconcat, ...chart.concat.slice(1)];
    Object.keys(data.nothing).forEach((name) => {
      const title = filled(data.titles[name][0], words);
      const view = views.find((view) => view.title.text === title);
      if (!tables[name].length) view.title.subtitle = filled(data.nothing[name], words);
    });
    const isNarrow = innerWidth < NARROW;
    chart.columns = isNarrow ? 1 : 2;
    chart.config.legend.columns = isNarrow ? 2 : 6;
    if (isNarrow) {
      chart.config.title.limit = WIDTH + 35;
      views.forEach((view) => (view.width = Math.min(view.width, WIDTH)));
    }
    chart.datasets = { ...chart.datasets, ...tables };
    if (picked) chart.params.find((param) => param.name === "run").value = [{ study: data.study, cell: picked.cell }];
    chart.description = `${data.study}, ${words.target}: linked views of the scores, ${words.scale}`;
    return chart;
  }

  function draw() {
    const tables = tablesOfChoice(), { words } = data.scales[scales.indexOf(choice.scale)];
    const all = { target: choice.target, language: data.names[choice.language], P: size(choice.tokens), I: size(choice.examples), scale: choice.scale, ...words };
    fillRuns(tables);
    const chart = chartOfChoice(tables, all);
    // one drawing after the other; `ast` has expressions interpreted, as the page's policy lets no text become code;
    // logLevel 1 names errors alone: that a view is empty is said in its title
    drawing = drawing.then(async () => {
      if (shown) shown.finalize();
      shown = await vegaEmbed(place, chart, { mode: "vega-lite", renderer: "svg", actions: false, ast: true, logLevel: 1 });
      shown.view.addSignalListener("run", (name, { cell }) => cell && pick(cell[0]));
      shown.view.addSignalListener("place", (name, { tokens, examples }) => tokens && goTo(tokens[0], examples[0]));
      place.dataset.drawn = Number(place.dataset.drawn || 0) + 1;
    });
    history.replaceState(null, "", "#" + new URLSearchParams(Object.keys(LABELS).map((name) => [name, choice[name]])));
  }

  function option(value, label) {
    const one = document.createElement("option");
    one.value = value;
    one.textContent = label;
    return one;
  }

  function options(name) {
    if (name === "target") return data.targets.map((target) => [target, target]);
    if (name === "scale") return scales.map((scale) => [scale, scale]);
    const label = { language: (code) => data.names[code], tokens: size, examples: size }[name] || String;
    return data.options[choice.target][name].map((value) => [value, label(value)]);
  }

  // what a target does not have falls back to what it has
  function settle() {
    Object.keys(menus).forEach((name) => {
      const values = options(name).map(([value]) => value);
      if (!values.includes(choice[name])) choice[name] = values.includes(ALL) || name === "language" ? values[0] : values[values.length - 1];
      menus[name].replaceChildren(...options(name).map(([value, label]) => option(value, label)));
      menus[name].value = choice[name];
    });
  }

  function choose(name, value) {
    const wanted = options(name).find(([one]) => String(one) === value);
    if (wanted) choice[name] = wanted[0];
  }

  function goTo(tokens, examples) {
    choice.tokens = tokens;
    if (examples) choice.examples = examples;
    settle();
    draw();
  }

  function fillRuns(tables) {
    const away = (run) => (run.tokens !== choice.tokens) + (run.examples !== choice.examples);
    const cells = new Map([...tables.tokens, ...tables.examples].map((row) => [row.cell, runs.find((run) => run.cell === row.cell)]));
    const near = [...cells.values()].sort((a, b) => away(a) - away(b));
    if (picked && !cells.has(picked.cell)) picked = null;
    picked = picked || near[0] || null;
    runMenu.replaceChildren(...near.map((run) => option(run.cell, run.cell)));
    if (picked) runMenu.value = picked.cell;
    showFacts();
  }

  function pick(cell) {
    const run = runs.find((run) => run.cell === cell);
    if (!run || run === picked) return;
    picked = run;
    if (![...runMenu.options].some((one) => one.value === cell)) runMenu.append(option(cell, cell));
    runMenu.value = cell;
    showFacts();
  }

  function showFacts() {
    const table = document.createElement("table");
    const add = (name, ...parts) => {
      const row = table.insertRow(), head = document.createElement("th");
      head.scope = "row";
      head.textContent = name;
      row.append(head);
      row.insertCell().append(...parts);
    };
    if (picked) {
      const of = scores.filter((score) => score.run === picked && score.target === choice.target && score.language !== OTHERS);
      add("seed", picked.seed);
      add("pretraining", `P = ${picked.P}`);
      add("intermediate", picked.arm ? `${picked.arm}, I = ${picked.I}` : "none, I = 0");
      add(`${choice.target}, ${scales[0]}`, of.map((score) => `${data.names[score.language]} ${text(score.values[0])}`).join(", "));
      if (picked.page) {
        const link = document.createElement("a");
        link.href = "notebooks/" + encodeURIComponent(picked.page);
        link.textContent = "executed notebook";
        add("notebook", link);
      }
      const others = document.createElement("a");
      others.href = "index.html#cells";
      others.textContent = "every cell";
      const command = document.createElement("code");
      command.textContent = `xlt explore ${data.study}`;
      add("record", "in records.zip where the study is published, else below runs/; the report lists ", others, "; ", command, " shows predictions, sentence by sentence");
    }
    facts.replaceChildren(table);
  }

  Object.entries(LABELS).forEach(([name, label]) => {
    const holder = document.createElement("label");
    menus[name] = document.createElement("select");
    menus[name].name = name;
    holder.append(label, menus[name]);
    form.append(holder);
    menus[name].addEventListener("change", () => {
      choose(name, menus[name].value);
      settle();
      draw();
    });
  });
  runMenu.addEventListener("change", () => {
    picked = runs.find((run) => run.cell === runMenu.value);
    draw();
  });
  let isNarrow = innerWidth < NARROW;
  addEventListener("resize", () => {
    if (isNarrow !== innerWidth < NARROW) draw();
    isNarrow = innerWidth < NARROW;
  });
  // an address with a choice opens with it
  const wanted = new URLSearchParams(location.hash.slice(1));
  if (data.targets.includes(wanted.get("target"))) choice.target = wanted.get("target");
  Object.keys(LABELS).forEach((name) => wanted.has(name) && choose(name, wanted.get(name)));
  settle();
  draw();
})();
