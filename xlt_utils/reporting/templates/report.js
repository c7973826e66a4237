// The table of runs: sorted by buttons in its heads, filtered by words. Without this script it is a plain table.
(function () {
  const table = document.querySelector("table.cells");
  if (!table) return;
  const body = table.tBodies[0], rows = Array.from(body.rows), heads = Array.from(table.tHead.rows[0].cells);
  const field = document.getElementById("filter"), count = document.getElementById("filter-count");
  const words = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));

  function value(row, column) {
    const cell = row.cells[column];
    if (cell.dataset.v !== undefined) return cell.dataset.v === "" ? null : Number(cell.dataset.v);
    return cell.textContent.trim() || null;
  }

  function sort(column, sign) {
    const keyed = rows.map((row) => [value(row, column), row]);
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null); // what is not there comes last either way
      return sign * (typeof a === "number" ? a - b : a < b ? -1 : a > b ? 1 : 0);
    });
    body.append(...keyed.map(([, row]) => row));
  }

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    const wrap = () => (button.append(...head.childNodes), head.append(button));
    wrap();
    addEventListener("beforeprint", () => head.replaceChildren(...button.childNodes)); // a head with buttons is on its first page alone
    addEventListener("afterprint", wrap);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      sort(column, up ? 1 : -1);
    });
  });

  function filter() {
    const wanted = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row) => {
      row.hidden = !wanted.every((word) => words.get(row).includes(word));
      shown += !row.hidden;
    });
    count.textContent = `${shown} of ${rows.length} runs`;
  }

  field.addEventListener("input", filter);
  document.getElementById("filter-row").hidden = false;
  filter();

  // a link into a folded section opens it
  function unfold() {
    const id = decodeURIComponent(location.hash.slice(1));
    for (let at = id && document.getElementById(id); at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  }
  addEventListener("hashchange", unfold);
  unfold();
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => (one.open = true)));
})();
