"""`bayescausal check-graph` and `overlap`: pages, tables, an exit code for a rejected graph."""

import io
import json
from dataclasses import replace

import pandas as pd
import pytest

import bayescausal as bc
from bayescausal.presentation.cli import main


@pytest.fixture
def config(tmp_path, example):
    """A function that writes the bundled data with a spec, and returns the path of the YAML."""

    def write(spec):
        example.frame.to_csv(tmp_path / "weekly.csv", index=False)
        data = {"path": "weekly.csv", "time": "week", **example.data.settings()}
        return str(bc.Config.write(tmp_path / "model.yaml", spec, data, {}, "model.nc"))

    return write


def test_the_page_says_what_the_verb_says(config, example, capsys):
    assert main(["check-graph", config(example.spec)]) == 0
    assert capsys.readouterr().out == f"{bc.check_graph(example.data, example.spec)!r}\n"


def test_tables_for_machines(config, example, capsys):
    path = config(example.spec)
    assert main(["check-graph", path, "--format", "csv"]) == 0
    table = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert main(["check-graph", path, "--format", "json"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert page["rejected"] is False
    assert [row["claim"] for row in page["rows"]] == list(table["claim"])


def test_strict_exits_with_1_when_the_graph_is_rejected(config, example, capsys):
    text = "demand -> search, sales\ntv -> search, sales\nsocial, price, search -> sales"
    wrong = replace(example.spec, graph=bc.Graph.parse(text, outcome="sales"), experiments=())
    assert main(["check-graph", config(example.spec), "--strict"]) == 0
    assert main(["check-graph", config(wrong), "--strict"]) == 1
    out, err = capsys.readouterr()
    assert "contradicted" in out
    assert err.startswith("bayescausal: The data reject the graph")


def test_overlap_of_a_saved_model(example_fit, tmp_path, capsys):
    path = str(example_fit.save(tmp_path / "model.nc"))
    assert main(["overlap", path]) == 0
    assert capsys.readouterr().out == f"{bc.overlap(example_fit)!r}\n"
    assert main(["overlap", path, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["overlap"]
    assert {(row["channel"], row["light"]) for row in rows} >= {("tv", "green"), ("search", "red")}


def test_discover_reads_what_experts_say(config, example, capsys):
    path = config(example.spec)
    with open(path, "a", encoding="utf-8") as file:
        file.write("experts: {signs: {price -> sales: 1}, tiers: {media: [tv], KPI: [sales]}}\n")
    assert main(["discover", path, "--resamples", "0"]) == 0
    experts = bc.Experts(
        example.spec, signs={"price -> sales": 1}, tiers={"media": ["tv"], "KPI": ["sales"]}
    )
    result = bc.discover(example.data, experts, resamples=0)
    assert capsys.readouterr().out == f"{result!r}\n"
    assert main(["discover", path, "--resamples", "0", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["doubt"] for row in rows] == ["wrong sign"]
    assert main(["validate", path]) == 0  # the other commands read past it
