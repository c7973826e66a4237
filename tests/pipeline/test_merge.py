"""Archives of one study become one: every cell once, nothing averaged, and what is another study is refused by name."""

import json
import stat
import zipfile

import pytest
import simulated

from xlt_utils import cli
from xlt_utils.pipeline.archives import merge
from xlt_utils.pipeline.archives.archive import ARCHIVE, Archive, ArchiveFault, pack_records, unpack_all
from xlt_utils.records.record import DamagedRecord, sealed
from xlt_utils.reporting.findings import gather_findings
from xlt_utils.reporting.page import render_page
from xlt_utils.reporting.provenance import machine_rows, origin_sentences

STATED = {"code": "c" * 64, "data": "d" * 64, "machine": "Xeon (model 1)", "device": "cpu", "precision": "fp32"}
SIZES = {"tokens": (0, 100_000), "examples": (0, 256), "tasks": ("sst", "udpos")}


def archive_of(folder, seeds, change=None, **options):
    """An archive of a simulated study: `change` edits each record before it is sealed."""

    def complete(record):
        record = record | STATED
        record["parameters"].pop("checkpoint", None)  # a path of the tests' own folders
        record["parameters"] |= {"start": "scratch"} if record["phase"] == "pretrain" else {}
        return sealed((change(record) or record) if change else record)

    runs = folder / "two"
    simulated.study(runs, seeds=seeds, notebooks=False, complete=complete, **SIZES | options)
    file = folder / ARCHIVE
    pack_records(runs, [path.parent for path in runs.glob("*/*/record.json")], file)
    return file


def test_two_halves_are_the_whole(tmp_path):
    first, second = archive_of(tmp_path / "a", (0, 1)), archive_of(tmp_path / "b", (2,))
    whole = archive_of(tmp_path / "whole", (0, 1, 2))
    text = merge.merge_archives(tmp_path / "out" / "merged.zip", [first, second])
    assert text == f"{tmp_path}/out/merged.zip: 24 cells of two, seeds 0, 1, 2"
    with Archive(tmp_path / "out" / "merged.zip") as merged, Archive(whole) as expected:
        assert merged.files == expected.files
        assert all(merged.read(name) == expected.read(name) for name in merged.files)
    assert merge.merge_archives(tmp_path / "out", [second, first]).startswith(str(tmp_path / "out" / ARCHIVE))
    assert (tmp_path / "out" / ARCHIVE).read_bytes() == (tmp_path / "out" / "merged.zip").read_bytes()


def test_replicates_and_a_checkpoint_that_lies_elsewhere_are_no_difference(tmp_path):
    def change(record):
        seed, tokens = record["coordinates"]["seed"], record["coordinates"]["tokens"]
        if record["phase"] == "target":
            record["coordinates"]["replicate"] = record["parameters"]["replicate"] = seed
        if record["phase"] == "pretrain":
            record["parameters"]["start"], record["checkpoint"] = f"place{seed}/{tokens}", f"{tokens}"

    archives = [archive_of(tmp_path / name, (seed,), change) for name, seed in (("a", 0), ("b", 1))]
    assert "16 cells of two" in merge.merge_archives(tmp_path / "merged.zip", archives)


def test_plans_add_up_and_the_time_of_one_run_is_not_that_of_all(tmp_path):
    archives = [archive_of(tmp_path / name, (seed,)) for name, seed in (("a", 0), ("b", 1))]
    for file, seconds in zip(archives, (10.0, 20.0), strict=True):
        plan = {"grid": file.parent.name, "cells": {"target": 4}, "wall_seconds": seconds, "by_cell": {f"{file}": 1.0}}
        rewrite(file, lambda name, text: text, {"plan.json": json.dumps(plan), "run.json": '{"seconds": 9.0}'})
    merge.merge_archives(tmp_path / "merged.zip", archives)
    with Archive(tmp_path / "merged.zip") as merged:
        plan = json.loads(merged.read("plan.json"))
        assert "run.json" not in merged.files
    assert (plan["cells"], plan["wall_seconds"], len(plan["by_cell"])) == ({"target": 8}, 30.0, 2)
    merge.merge_archives(tmp_path / "again.zip", [archives[0], tmp_path / "merged.zip"])  # cells in common
    with Archive(tmp_path / "again.zip") as merged:
        assert "plan.json" not in merged.files


def test_the_same_cell_twice_stands_once_as_the_first_archive_has_it(tmp_path):
    def elsewhere(record):
        record["machine"] = "EPYC (model 9)"
        for row in record["results"]:
            row["value"] = min(1.0, row["value"] + 0.004)  # rounding, carried on by training

    first, second = archive_of(tmp_path / "a", (0, 1)), archive_of(tmp_path / "b", (1, 2), elsewhere)
    merge.merge_archives(tmp_path / "merged.zip", [first, second])
    with Archive(first) as one, Archive(tmp_path / "merged.zip") as merged:
        assert set(one.files) < set(merged.files)
        assert all(merged.read(name) == one.read(name) for name in one.files)


@pytest.mark.parametrize(
    ("machine", "by", "expected"),
    [
        ("Xeon (model 1)", 1e-6, r"sst in en, accuracy: 0\.\d+ and 0\.\d+"),
        ("EPYC (model 9)", 0.05, r"sst in en, accuracy: 0\.\d+ and 0\.\d+"),
    ],
)
def test_a_cell_that_disagrees_is_refused_with_both_values(tmp_path, machine, by, expected):
    def other(record):
        record["machine"] = machine
        for row in record["results"]:
            row["value"] = max(0.0, row["value"] - by)

    first, second = archive_of(tmp_path / "a", (0,)), archive_of(tmp_path / "b", (0,), other)
    with pytest.raises(merge.MergeFault, match=rf"target/.* differs between .*: {expected}.*nothing was written"):
        merge.merge_archives(tmp_path / "merged.zip", [first, second])
    assert not (tmp_path / "merged.zip").exists()


def data_moved(record):
    record["data"] = "e" * 64


def code_moved(record):
    record["code"] = "f" * 64


def longer(record):
    if record["phase"] == "target":
        record["parameters"]["examples"] = 2048


def regrouped(record):
    """Other tasks share the cell, and one of them is trained on less."""
    if record["phase"] == "target":
        record["parameters"] |= {"tasks": ["sst", "tatoeba"], "settings": {"sst": {"examples": 64}}}


def silent(record):
    del record["code"]


def other_start(record):
    record["checkpoint"] = "b" * 64 if record["phase"] == "pretrain" and record["coordinates"]["tokens"] else None


OTHERS = {
    data_moved: r"all cells, data: 'd+' in .*a/records.zip, 'e+' in .*b/records.zip",
    code_moved: "pretrain, code: 'c+' in .*, 'f+' in ",
    longer: r"target at P = 0 on sst, examples: 1024 in .*, 2048 in ",
    regrouped: r"target at P = 0 on sst, examples: 1024 in .*, 64 in ",
    silent: "pretrain, code: records in .*b/records.zip do not state it, so it may differ",
    other_start: r"pretrain at P = 100000, start: 'scratch' in .*, 'b+' in ",
}


@pytest.mark.parametrize(("change", "expected"), OTHERS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_what_differs_in_more_than_the_seed_is_refused_by_name(tmp_path, change, expected, capsys):
    first, second = archive_of(tmp_path / "a", (0,)), archive_of(tmp_path / "b", (1,), change)
    before = first.read_bytes()
    assert cli.main(["merge", str(first), str(first), str(second)]) == 65
    message = capsys.readouterr().err
    assert first.read_bytes() == before
    with pytest.raises(merge.MergeFault, match=expected):
        merge.merge_archives(first, [first, second])
    assert "--origins" in message


def test_a_study_of_another_name_and_a_file_that_is_there_are_refused(tmp_path):
    first = archive_of(tmp_path / "a", (0,))
    other = archive_of(tmp_path / "b", (1,), lambda record: record | {"study": "three"})
    with pytest.raises(merge.MergeFault, match=r"archives of several studies: 'two' in .*, 'three' in"):
        merge.merge_archives(tmp_path / "merged.zip", [first, other])
    (tmp_path / "merged.zip").write_text("mine")
    with pytest.raises(merge.MergeFault, match=r"merged\.zip: is there already"):
        merge.merge_archives(tmp_path / "merged.zip", [first])
    assert (tmp_path / "merged.zip").read_text() == "mine"


def cut(file):
    file.write_bytes(file.read_bytes()[:-400])


def doctor(file):
    rewrite(file, lambda name, text: text.replace('"value": 0.', '"value": 0.9', 1))


def lead_out(file):
    rewrite(file, lambda name, text: text, {"target/../../../out/record.json": "{}"})


def swell(file):
    rewrite(file, lambda name, text: text, {"target/s0-p0-x-00000000/record.json": "0" * 80_000_000})


def link(file):
    entry = zipfile.ZipInfo("target/s0-p0-x-00000000/record.json")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(file, "a") as packed:
        packed.writestr(entry, "/etc/passwd")


def rot(file):
    """Change a byte of what one file of the archive packs."""
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 0xFF
    file.write_bytes(data)


def rewrite(file, change, more=None):
    with zipfile.ZipFile(file) as packed:
        texts = {name: change(name, packed.read(name).decode()) for name in packed.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in (texts | (more or {})).items():
            packed.writestr(name, text)


@pytest.mark.parametrize(
    ("damage", "fault", "expected"),
    [
        (cut, ArchiveFault, "no archive, or half of one: copy it anew"),
        (doctor, DamagedRecord, "states the sha256 .*, and its content has .*: edited or damaged"),
        (lead_out, ArchiveFault, r"holds 'target/\.\./\.\./\.\./out/record\.json'; an archive holds"),
        (
            link,
            ArchiveFault,
            "holds 'target/s0-p0-x-00000000/record.json' as a link; an archive holds files, each once",
        ),
        (rot, ArchiveFault, "json: .*; cut off or damaged: copy it anew"),
        (swell, ArchiveFault, "files that unpack from .* bytes; an archive has at most"),
    ],
)
def test_an_archive_that_was_tampered_with_is_refused_and_nothing_is_written(tmp_path, damage, fault, expected):
    first, second = archive_of(tmp_path / "a", (0,)), archive_of(tmp_path / "b", (1,))
    damage(second)
    with pytest.raises(fault, match=expected):
        merge.merge_archives(tmp_path / "merged.zip", [first, second])
    assert cli.main(["merge", str(tmp_path / "merged.zip"), str(first), str(second)]) == 65
    assert not (tmp_path / "merged.zip").exists()
    runs = tmp_path / "runs" / "below" / "it"
    (runs / "target").mkdir(parents=True)
    (runs / "target" / "mine").write_text("kept")
    with pytest.raises(fault, match=expected):
        unpack_all(second, runs)
    assert not (tmp_path / "out").exists()


def test_origins_are_kept_apart_and_their_effect_is_tested(tmp_path):
    def improved(record):
        record["code"] = "f" * 64
        record["cell"] = record["cell"][:-1] + "f"
        for row in record["results"]:
            row["value"] = min(1.0, row["value"] + 0.1)

    first = archive_of(tmp_path / "a", (0, 1, 2))
    second = archive_of(tmp_path / "b", (0, 1, 2), improved)
    rename(second)
    text = merge.merge_archives(tmp_path / "merged.zip", [first, second], origins=True)
    assert text.endswith("seeds 0, 1, 2, kept apart by origin")
    unpack_all(tmp_path / "merged.zip", tmp_path / "runs")
    findings = gather_findings(tmp_path / "runs")
    assert findings.seeds == [0, 1, 2, 10_000, 10_001, 10_002]
    kept_apart, effect = origin_sentences(findings)
    assert "1: a and 2: b" in kept_apart and "2: b minus 1: a is +0.1" in effect and "95 % CI" in effect
    assert {row["origin"] for row in machine_rows(findings)} == {"1: a", "2: b"}
    assert effect in render_page(findings, [], tmp_path / "page").read_text()


def rename(file):
    """Give the cells of an archive the names that another code gives them."""
    with zipfile.ZipFile(file) as packed:
        contents = {name: packed.read(name) for name in packed.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in contents.items():
            phase, cell, *rest = name.split("/")
            if rest[0] == "record.json":
                record = json.loads(content)
                record["hash"] = record["hash"][:-1] + "f"
                content = json.dumps(sealed(record))
            packed.writestr("/".join([phase, cell[:-1] + "f", *rest]), content)
