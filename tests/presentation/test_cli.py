"""The command line: what it prints is what the queries say, and mistakes are one line."""

import io
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from presentation_cases import QUICK, converged, unconverged, weekly
from saved_cases import tiny

import bayescausal as bc
from bayescausal.presentation.cli import main
from bayescausal.presentation.formatting import number

BUDGET = 0.5
RUN = [sys.executable, "-m", "bayescausal.presentation.cli"]


@pytest.fixture
def folder(tmp_path):
    """A small YAML file and its data."""
    weekly().drop(columns="visits").to_csv(tmp_path / "weekly.csv", index=False)
    write(tmp_path)
    return tmp_path


def write(folder, **parts):
    """Write model.yaml; a part given as None is left out."""
    given = {
        "data": {"path": "weekly.csv", "time": "week", "spend": ["tv"]},
        "spec": {"graph": "tv -> sales", "outcome": "sales", "responses": {"tv": {}}},
        "fit": {"seed": 5, **QUICK},
        "output": "results",
    }
    given = {key: value for key, value in (given | parts).items() if value is not None}
    (folder / "model.yaml").write_text(yaml.safe_dump(given))
    return folder / "model.yaml"


@pytest.fixture(scope="module")
def model(example_fit, tmp_path_factory):
    """The fit of the bundled data, saved."""
    return example_fit.save(tmp_path_factory.mktemp("saved") / "model.nc")


def fails(capsys, *argv):
    """Run a command that must fail, and return its single line."""
    assert main([str(a) for a in argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize("argv", [["--help"], ["identify", "--help"]])
def test_help_answers_at_once(argv):
    took = []
    for _ in range(3):  # the best of three: other jobs share the machine
        start = time.perf_counter()
        run = subprocess.run([*RUN, *argv], capture_output=True, text=True, check=True)
        took.append(time.perf_counter() - start)
        assert run.stdout.startswith("usage: bayescausal")
    assert min(took) < BUDGET


@pytest.mark.parametrize(
    "command",
    [
        "demo",
        "validate",
        "identify",
        "check-graph",
        "workshop",
        "fit",
        "effects",
        "overlap",
        "decompose",
        "forecast",
        "plan",
        "optimize",
        "report",
    ],
)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: bayescausal {command}")


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from bayescausal.presentation.cli import _parser; _parser().format_help();"
        "print(sorted({'numpy', 'pandas', 'pymc', 'matplotlib', 'jinja2'} & {*sys.modules}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"bayescausal {bc.__version__}\n"


@pytest.mark.parametrize("argv", [[], ["fitt"], ["fit"], ["fit", "m.yaml", "--seed", "x"]])
def test_a_wrong_command_exits_with_2(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("usage: bayescausal")


def test_a_mistake_is_the_exit_code_of_the_process(tmp_path):
    run = subprocess.run([*RUN, "validate", tmp_path / "none.yaml"], capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr == f"bayescausal: No such file or directory: '{tmp_path / 'none.yaml'}'\n"


def test_validate_shows_the_spec_and_the_data(folder, capsys):
    assert main(["validate", str(folder / "model.yaml")]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "ok"
    assert "tv->sales" in out
    assert (
        "Dataset(40 weekly periods 2025-01-06..2025-10-06; columns sales, tv; spend of tv)" in out
    )
    assert not (folder / "results").exists()


def test_validate_finds_what_the_data_lack(folder, capsys):
    path = write(folder, spec={"graph": "tvv -> sales", "outcome": "sales", "treatments": ["tvv"]})
    line = fails(capsys, "validate", path)
    assert "Did you mean 'tv'?" in line


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"dta": {}}, "unknown key 'dta'"),
        ({"data": {"path": "weekly.csv", "tme": "week"}}, "Did you mean 'time'?"),
        ({"data": {"path": "weekly.csv"}}, "'time' is missing"),
        ({"data": {"path": "none.csv", "time": "week"}}, "No such file"),
        ({"data": {"path": "weekly.csv", "time": "week", "spend": ["tvv"]}}, "'tvv'"),
        ({"data": None}, "'data' is missing"),
        ({"spec": None}, "'spec' is missing"),
        ({"spec": {"graf": "tv -> sales"}}, "Did you mean 'graph'?"),
        ({"fit": {"seeed": 1}}, "Did you mean 'seed'?"),
        ({"fit": {"seed": "one"}}, "seed is a whole number"),
        ({"fit": {"draws": 0}}, "draws"),
        ({"fit": {"sampler": "nutpi"}}, "sampler is one of"),
        ({"fit": {"target_accept": "high"}}, "target_accept"),
        ({"fit": {"strict": "yes"}}, "strict is True or False"),
        ({"fit": {"draws": None}}, "draws"),
        ({"fit": ["seed"]}, "fit must be a mapping"),
        ({"output": "model.pkl"}, "ends in .nc"),
    ],
)
def test_a_mistake_in_the_yaml_is_one_line_with_advice(folder, capsys, parts, says):
    line = fails(capsys, "validate", write(folder, **parts))
    assert line.startswith("bayescausal: ")
    assert says in line


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"data: [", "not YAML"),
        (b"- 1", "mapping"),
        (b"data: !!python/object/apply:os.system [ls]", "tag"),
        (b"\xff\xfe", "UTF-8"),
    ],
)
def test_a_file_that_is_no_model_is_one_line(tmp_path, capsys, content, says):
    path = tmp_path / "model.yaml"
    path.write_bytes(content)
    assert says in fails(capsys, "fit", path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b'week,tv\n2025-01-06,"1'])
def test_a_file_that_is_no_table_is_one_line(folder, capsys, content):
    (folder / "weekly.csv").write_bytes(content)
    line = fails(capsys, "validate", folder / "model.yaml")
    assert "weekly.csv" in line


def test_what_the_file_leaves_out_fit_decides(folder):
    given = {"seed": 5, "tune": None, "target_accept": None, "strict": True}
    assert bc.Config.read(write(folder, fit=given)).settings == {"seed": 5, "strict": True}


LIGHT = """
import sys
from bayescausal.presentation.cli import main
for command in ('validate', 'identify', 'workshop'):
    assert main([command, sys.argv[1]]) == 0
    heavy = {'pymc', 'pytensor', 'jax', 'nutpie', 'matplotlib', 'dowhy'} & {*sys.modules}
    assert not heavy, (command, heavy)
"""


def test_what_samples_nothing_loads_no_sampler(folder):
    argv = [sys.executable, "-c", LIGHT, str(folder / "model.yaml")]
    run = subprocess.run(argv, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.fixture
def bow(folder):
    """A model whose only effect is confounded; its data do not exist."""
    (folder / "weekly.csv").unlink()
    graph = "tv -> sales\ntv <-> sales"
    return write(folder, spec={"graph": graph, "outcome": "sales", "treatments": ["tv"]})


def test_identify_prints_the_page_without_data(bow, capsys):
    assert main(["identify", str(bow)]) == 0
    out, err = capsys.readouterr()
    assert out == str(bc.identify(bc.Config.read_spec(bow).graph, "tv"))
    assert "Grade X, not identified." in out
    assert err == ""
    assert "weekly.csv" in fails(capsys, "validate", bow)


def test_identify_needs_no_part_on_data_at_all(folder, capsys):
    assert main(["identify", str(write(folder, data=None, fit=None, output=None))]) == 0
    assert "Identified: nothing to adjust for." in capsys.readouterr().out


def test_identify_strict_exits_with_1_and_what_would_settle_it(bow, folder, capsys):
    assert main(["identify", str(bow), "--strict"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("# Effect of tv on sales")
    assert err.count("\n") == 1
    assert "Run a lift test on tv" in err
    assert main(["identify", str(write(folder)), "--strict"]) == 0


def test_a_strict_fit_stops_before_it_samples(bow, folder, capsys):
    weekly().to_csv(folder / "weekly.csv", index=False)
    given = yaml.safe_load(bow.read_text())
    path = write(folder, spec=given["spec"], fit={"strict": True})
    assert main(["fit", str(path), "--quiet"]) == 1
    assert "is not identified by your graph" in capsys.readouterr().err
    assert not (folder / "results" / "model.nc").exists()


def test_identify_as_json_has_everything_and_one_treatment_when_asked(folder, capsys):
    test = {"estimand": {"control": {"tv": 0.0}}, "lift": 9, "std_error": 1, "design": "geo-rct"}
    spec = {"graph": "tv, radio -> visits -> sales\ntv <-> sales", "outcome": "sales"}
    spec |= {"treatments": ["tv", "radio"], "experiments": [{"name": "lift", **test}]}
    path = str(write(folder, spec=spec))
    assert main(["identify", path, "--json"]) == 0
    effects = json.loads(capsys.readouterr().out)["effects"]
    assert [effect["treatments"] for effect in effects] == [["radio"], ["tv"]]
    read = bc.Config.read_spec(path)
    tv = bc.identify(read.graph, bc.incremental("tv", outcome="sales"), read.experiments)
    assert effects[1] == tv.to_dict()
    assert [(effect["status"], effect["grade"]) for effect in effects] == [
        ("backdoor", "F"),
        ("randomized", "A"),
    ]
    assert main(["identify", path, "--treatment", "visits"]) == 0
    assert capsys.readouterr().out.startswith("# Effect of visits on sales")
    assert "Did you mean 'radio'?" in fails(capsys, "identify", path, "--treatment", "raddio")


def test_the_workshop_asks_of_every_treatment_or_of_one(folder, capsys):
    spec = {"graph": "tv, radio -> sales", "outcome": "sales", "treatments": ["tv", "radio"]}
    path = str(write(folder, data=None, spec=spec))
    assert main(["workshop", path]) == 0
    out = capsys.readouterr().out
    assert out.index("Effect of `radio`") < out.index("Effect of `tv`")
    assert main(["workshop", path, "--treatment", "tv"]) == 0
    out = capsys.readouterr().out
    assert "Effect of `tv`" in out
    assert "Effect of `radio`" not in out


def test_fit_saves_where_the_yaml_says_with_its_settings(folder, capsys):
    assert main(["fit", str(folder / "model.yaml"), "--quiet"]) == 0
    out, err = capsys.readouterr()
    fit = bc.load(folder / "results" / "model.nc")
    assert str(folder / "results" / "model.nc") in out
    assert fit.shape == (2, 20)
    assert fit.info["seed"] == 5
    assert err.startswith("NOT CONVERGED: ")  # 40 draws: it must say so
    assert err.count("NOT CONVERGED") == 1


def test_options_override_the_yaml_and_a_seed_repeats_the_draws(folder, capsys):
    path = write(folder, output=None)
    for name in ("a.nc", "b.nc"):
        target = folder / "new" / name
        argv = ["fit", str(path), "--quiet", "--seed", "8", "--output", str(target)]
        assert main(argv) == 0
    one, two = (bc.load(folder / "new" / name) for name in ("a.nc", "b.nc"))
    assert one.info["seed"] == 8
    assert not (folder / "model.nc").exists()
    np.testing.assert_array_equal(
        one.tree["posterior"]["tv->sales"], two.tree["posterior"]["tv->sales"]
    )


@pytest.mark.parametrize("target", ["weekly.csv/fit.nc", "/proc/none/fit.nc", "."])
def test_fit_tries_its_target_before_it_samples(folder, capsys, monkeypatch, target):
    monkeypatch.setattr(bc, "fit", None, raising=False)
    model = write(folder, data={"path": "weekly.csv", "time": "week"})
    line = fails(capsys, "fit", model, "--output", folder / target)
    assert "cannot be written" in line or "is a folder" in line


def test_a_draft_by_the_yaml_or_an_option_says_so_wherever_it_is_read(folder, capsys):
    path = write(folder, fit={"seed": 5, **QUICK, "method": "laplace"})
    assert main(["fit", str(path), "--quiet"]) == 0
    out, err = capsys.readouterr()
    label = "DRAFT: approximation by the curvature at the mode (method='laplace'), Pareto k"
    assert label in " ".join(out.split())
    assert err.startswith(label)
    model = str(folder / "results" / "model.nc")
    assert main(["effects", model, "--format", "csv"]) == 0
    out, err = capsys.readouterr()
    table = pd.read_csv(io.StringIO(out))
    assert table["converged"].all()
    assert (table["draft"] == "laplace").all()
    assert err.startswith(label)
    assert main(["fit", str(write(folder)), "--quiet", "--method", "laplace"]) == 0
    assert label in " ".join(capsys.readouterr().out.split())
    assert "Did you mean 'laplace'?" in fails(capsys, "fit", path, "--method", "laplas")


def test_draws_that_cannot_be_saved_are_kept_and_found(folder, capsys, monkeypatch):
    """The folder of results goes away while the sampler runs."""

    def sampled(*args, **settings):
        (folder / "results").rmdir()
        (folder / "results").write_text("a file")
        return tiny()

    monkeypatch.setattr(bc, "fit", sampled, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    model = write(folder, data={"path": "weekly.csv", "time": "week"})
    assert main(["fit", str(model)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    place = Path(said.split("The draws are kept in '")[1].split("'")[0])
    assert place.is_relative_to(folder)
    np.testing.assert_array_equal(
        bc.load(place).tree["posterior"]["tv->sales"], tiny().tree["posterior"]["tv->sales"]
    )


@pytest.mark.parametrize("command", ["effects", "report"])
def test_damaged_model_is_one_line(tmp_path, capsys, command):
    path = tiny().save(tmp_path / "model.nc")
    content = path.read_bytes()
    path.write_bytes(content[:9000] + bytes(200) + content[9200:])
    assert "is damaged" in fails(capsys, command, path)


def test_effects_as_csv_run_no_formula(tmp_path, capsys, monkeypatch):
    path, name = tiny().save(tmp_path / "model.nc"), "=HYPERLINK(0)"
    table = pd.DataFrame({"mean": [-2.0], "status": ["+id"]}, index=[name]).rename_axis("channel")
    monkeypatch.setattr(bc, "effects_table", lambda *args: table, raising=False)
    assert main(["effects", str(path), "--format", "csv"]) == 0
    row = capsys.readouterr().out.splitlines()[1]
    assert row.startswith("'=HYPERLINK(0),-2.0,'+id,sales,")


def test_effects_as_csv_are_those_of_the_table(model, table_of_80, capsys):
    assert main(["effects", str(model), "--format", "csv", "--prob", "0.8"]) == 0
    out, err = capsys.readouterr()
    got = pd.read_csv(io.StringIO(out)).set_index(["channel", "quantity"])
    assert not any(mark in err for mark in ("NOT CONVERGED", "NOT IDENTIFIED"))
    assert (got.pop("outcome") == "sales").all()
    assert got.pop("converged").all()
    pd.testing.assert_frame_equal(got, table_of_80, check_names=False)


def test_effects_as_json_carry_their_state(model, example_fit, capsys):
    assert main(["effects", str(model), "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["prob"] == 0.9
    assert said["converged"] is True
    want = bc.summarize(bc.mroas(example_fit)).loc["tv"]
    (row,) = [r for r in said["effects"] if (r["channel"], r["quantity"]) == ("tv", "mroas")]
    assert row["outcome"] == "sales"
    assert row["median"] == pytest.approx(want["median"])
    assert row["low"] == pytest.approx(want["low"])
    assert (row["status"], row["grade"]) == (want["status"], want["grade"])


def test_effects_as_a_table_are_readable(model, example_fit, capsys):
    assert main(["effects", str(model)]) == 0
    out = capsys.readouterr().out
    roas = bc.summarize(bc.roas(example_fit)).loc["tv"]
    rows = [line.split() for line in out.splitlines()]
    cells = [number(roas[k]) for k in ("median", "mean", "sd", "low", "high")]
    prior = [number(roas[k]) for k in ("prior_5%", "prior_95%")]
    said = [*roas["status"].split(), roas["grade"]]
    share = number(roas["extrapolated_share"])
    assert ["roas", *cells, f"{roas['p_positive']:.3f}", *prior, share, *said] in rows
    assert "90% credible interval" in out


@pytest.mark.parametrize("command", ["effects", "report"])
def test_what_has_not_converged_says_so_once(panel_of_three, tmp_path, capsys, command):
    path = unconverged(panel_of_three).save(tmp_path / "bad.nc")
    assert main([command, str(path)]) == 0
    err = capsys.readouterr().err
    assert err == "NOT CONVERGED: R-hat of tv is 1.500 (above 1.01).\n"


def test_the_report_lies_beside_the_model_or_where_it_is_told(panel_of_three, tmp_path, capsys):
    model = panel_of_three.save(tmp_path / "model.nc")
    assert main(["report", str(model), "--title", "Q3"]) == 0
    assert "<h1>Q3</h1>" in model.with_name("report.html").read_text()
    target = tmp_path / "deep" / "page.html"
    assert main(["report", str(model), "--output", str(target), "--prob", "0.5"]) == 0
    assert "50% credible intervals" in target.read_text()
    assert str(target) in capsys.readouterr().out


def test_what_is_not_identified_says_so_and_what_would_settle_it(confounded, tmp_path, capsys):
    path = str(converged(confounded).save(tmp_path / "model.nc"))
    assert main(["report", path]) == 0
    err = capsys.readouterr().err
    assert err.startswith("NOT IDENTIFIED: The total effect of visits on sales is not identified")
    assert "Run a lift test on visits" in err
    assert err.count("\n") == 1
    assert main(["effects", path]) == 0
    out, again = capsys.readouterr()
    assert again == err
    assert "NOT IDENTIFIED" in out
    rows = [line.split() for line in out.splitlines()]
    assert next(row[-3:] for row in rows if row[:1] == ["direct"]) == ["not", "identified", "X"]
    assert main(["effects", path, "--format", "csv"]) == 0
    table = pd.read_csv(io.StringIO(capsys.readouterr().out)).set_index(["channel", "quantity"])
    assert table.loc[("visits", "roas"), ["status", "grade"]].to_list() == ["not identified", "X"]
    assert table.loc[("tv", "roas"), ["status", "grade"]].to_list() == ["backdoor", "F"]


@pytest.mark.parametrize("command", ["effects", "report"])
def test_a_model_that_is_none_is_one_line(tmp_path, capsys, command):
    (tmp_path / "text.nc").write_text("no model")
    assert "no file" in fails(capsys, command, tmp_path / "none.nc")
    assert "not a netCDF file" in fails(capsys, command, tmp_path / "text.nc")


def test_a_wrong_probability_is_one_line(panel_of_three, tmp_path, capsys):
    model = panel_of_three.save(tmp_path / "model.nc")
    assert "prob" in fails(capsys, "effects", model, "--prob", "90")


def test_ctrl_c_exits_with_130(folder, capsys, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(bc, "fit", stop, raising=False)
    assert main(["fit", str(folder / "model.yaml")]) == 130
    assert capsys.readouterr().err == "bayescausal: interrupted\n"


def test_a_reader_that_leaves_early_is_no_error(folder, capsys, monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as left:  # its end flushes, like the end of a process
        monkeypatch.setattr(sys, "stdout", left)
        assert main(["validate", str(folder / "model.yaml")]) == 0
    monkeypatch.undo()
    assert capsys.readouterr().err == ""


@pytest.fixture(scope="module")
def demo(example_fit, tmp_path_factory):
    """The demo's files and what it printed, with the shared fit in place of a new one."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    asked, said = {}, io.StringIO()

    def fit(spec, data, **settings):
        asked.update(settings, spec=spec, data=data)
        return example_fit

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bc, "fit", fit, raising=False)
        patch.setattr(sys, "stdout", said)
        assert main(["demo", "--output", str(folder), "--seed", "3"]) == 0
    return folder, said.getvalue(), asked


def test_the_demo_sets_estimates_beside_the_truth(demo, example, example_fit):
    _, said, _ = demo
    rows = {tuple(line.split()[:2]): line.split()[2:] for line in said.splitlines()}
    for channel in ("tv", "social", "search"):
        roas = bc.summarize(bc.roas(example_fit)).loc[channel]
        true = example.truth["roas"][channel]
        covered = "yes" if roas["low"] <= true <= roas["high"] else "no"
        cells = [number(x) for x in (true, roas["median"], roas["low"], roas["high"])]
        assert rows[channel, "roas"] == [*cells, covered]
    paths = bc.summarize(bc.decompose(example_fit, bc.incremental("tv")))
    for path in ("total", "direct", "indirect"):
        line, true = paths.loc[path], example.truth["effects"]["tv"][path]
        assert rows["tv", path][:2] == [number(true), number(line["median"])]
    assert ("social", "indirect") not in rows  # nothing mediates: nothing was estimated


def test_the_demo_fits_the_bundled_data_with_a_progress_bar(demo, example):
    _, _, asked = demo
    assert asked["data"].hash == example.data.hash
    assert asked["spec"].to_dict() == example.spec.to_dict()
    assert asked["seed"] == 3
    assert asked["progress"] is True


def test_the_demo_writes_the_report_of_its_fit(demo, example_report):
    """Two renderings of one fit, byte by byte."""
    folder, _, _ = demo
    assert (folder / "report.html").read_bytes() == example_report.read_bytes()


def test_the_demo_leaves_a_model_to_go_on_from(demo, example):
    folder, said, _ = demo
    config = bc.Config.read(folder / "model.yaml")
    assert config.data.hash == example.data.hash
    assert config.spec.to_dict() == example.spec.to_dict()
    assert config.settings == {"seed": 3}
    assert config.output == folder / "model.nc"
    assert {p.name for p in Path(folder).iterdir()} == {
        "model.nc",
        "model.yaml",
        "report.html",
        "weekly.csv",
    }
    assert bc.load(folder / "model.nc").data.hash == example.data.hash
    for path in Path(folder).iterdir():
        assert str(path) in said


@pytest.mark.slow
def test_the_demo_for_real(tmp_path, capsys):
    assert main(["demo", "--output", str(tmp_path), "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "Converged" in out
    assert (tmp_path / "report.html").stat().st_size < 3_000_000


def test_tests_that_contradict_each_other_are_named(example_fit, tmp_path, capsys):
    """The posterior is that of the sound tests; the second one of tv says three times as much."""
    first = example_fit.spec.experiments[0]
    other = replace(first, name="again", lift=3 * first.lift)
    spec = replace(example_fit.spec, experiments=(*example_fit.spec.experiments, other))
    with pytest.warns(bc.errors.OverlappingExperiments):
        bc.build(spec, example_fit.data)
    path = replace(example_fit, spec=spec).save(tmp_path / "torn.nc")
    assert main(["effects", str(path)]) == 0
    said = capsys.readouterr().err
    assert "CONFLICT" in said
    assert f"'{first.name}'" in said
    assert "'again'" in said
    assert main(["effects", str(example_fit.save(tmp_path / "sound.nc"))]) == 0
    assert "CONFLICT" not in capsys.readouterr().err


@pytest.fixture(scope="module")
def of_tv(tmp_path_factory):
    """The saved fit of one channel and its mediator."""
    data = bc.Dataset.from_frame(weekly(), time="week", spend=["tv"])
    graph = bc.Graph.parse("tv -> visits -> sales\ntv -> sales", outcome="sales")
    fit = bc.fit(bc.Spec(graph, {"tv": bc.Response()}), data, seed=1, progress=False, **QUICK)
    return fit.save(tmp_path_factory.mktemp("tv") / "model.nc")


def test_optimize_prints_the_allocation(of_tv, capsys):
    ask = ["--bounds", "0.8", "1.2", "--window", "2025-02-03", "2025-07-06"]
    want = bc.optimize(bc.load(of_tv), bounds=(0.8, 1.2), window=("2025-02-03", "2025-07-06"))
    assert main(["optimize", str(of_tv), *ask]) == 0
    assert capsys.readouterr().out == f"{want!r}\n"
    assert main(["optimize", str(of_tv), *ask, "--format", "csv"]) == 0
    table = pd.read_csv(io.StringIO(capsys.readouterr().out), index_col="channel")
    np.testing.assert_allclose(table["optimum"], want.table["optimum"])


def test_optimize_prints_a_free_pattern_by_period(of_tv, capsys):
    ask = ["optimize", str(of_tv), "--window", "2025-02-03", "2025-07-06", "--pattern"]
    want = bc.optimize(bc.load(of_tv), window=("2025-02-03", "2025-07-06"), pattern="free")
    assert main([*ask, "free", "--format", "csv"]) == 0
    table = pd.read_csv(io.StringIO(capsys.readouterr().out), index_col=["channel", "time"])
    np.testing.assert_allclose(table["optimum"], want.schedule["optimum"])
    assert main([*ask, "11", "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert len(said["schedule"]) == len(want.schedule)
    assert said["timing_gain"]["median"] >= 0
    assert "pattern is 'kept', 'free'" in fails(capsys, *ask, "weekly")


def test_optimize_says_what_holds_and_what_is_wrong(of_tv, capsys):
    assert "budget is above zero" in fails(capsys, "optimize", str(of_tv), "--budget", "-1")
    assert "tv (fixed)" in fails(capsys, "optimize", str(of_tv), "--fixed", "tv")


def test_decompose_prints_every_part_of_the_outcome(of_tv, capsys):
    want = bc.summarize(bc.decomposition(bc.load(of_tv), total=True))
    assert main(["decompose", str(of_tv), "--format", "csv"]) == 0
    table = pd.read_csv(io.StringIO(capsys.readouterr().out), index_col="component")
    np.testing.assert_allclose(table[["median", "low", "high"]], want[["median", "low", "high"]])
    assert [*table["kind"]] == [*want["kind"]]
    assert (table["outcome"] == "sales").all()
    assert not table["converged"].any()
    assert main(["decompose", str(of_tv)]) == 0
    out, err = capsys.readouterr()
    assert number(want.loc["tv direct", "median"]) in out
    assert "NOT CONVERGED" in err


def test_decompose_by_quarter_is_that_of_the_query(of_tv, capsys):
    want = bc.summarize(bc.decomposition(bc.load(of_tv), by="quarter", currency=True), 0.5)
    ask = ["--by", "quarter", "--currency", "--prob", "0.5", "--format", "json"]
    assert main(["decompose", str(of_tv), *ask]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["outcome"], said["prob"], said["converged"]) == ("sales", 0.5, False)
    for row in said["parts"]:
        line = want.loc[(row["component"], row["quarter"])]
        assert row["median"] == pytest.approx(line["median"])
        assert (row["status"], row["grade"]) == (line["status"], line["grade"])
    assert len(said["parts"]) == len(want)


def test_decompose_says_what_is_wrong(of_tv, capsys):
    said = fails(capsys, "decompose", str(of_tv), "--channels", "radio")
    assert "radio" in said
    assert "Did you mean 'sales'" in fails(capsys, "decompose", str(of_tv), "--outcome", "salse")


@pytest.fixture
def futures(of_tv, tmp_path):
    """Two plans of the time to come as files: the last periods again, and tv off."""
    same = bc.Future.like(bc.load(of_tv).data, 6, fill="last")
    paths = {}
    for name, future in {"same": same, "dark": same.assign(tv=0.0)}.items():
        paths[name] = tmp_path / f"{name}.csv"
        future.table.to_dataframe().to_csv(paths[name])
    return same, paths


def test_forecast_is_that_of_the_query(of_tv, futures, capsys):
    same, paths = futures
    want = bc.summarize(bc.forecast(bc.load(of_tv), same, seed=4)["sales"], 0.5)
    ask = ["--future", str(paths["same"]), "--seed", "4", "--prob", "0.5"]
    assert main(["forecast", str(of_tv), *ask, "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    rows = [row for row in said["periods"] if row["node"] == "sales"]
    np.testing.assert_allclose([row["median"] for row in rows], want["median"])
    assert main(["forecast", str(of_tv), *ask, "--format", "csv"]) == 0
    assert len(pd.read_csv(io.StringIO(capsys.readouterr().out))) == 2 * 6  # visits and sales
    assert main(["forecast", str(of_tv), "--periods", "3"]) == 0
    assert "What may happen under the plan" in capsys.readouterr().out


def test_plan_says_which_plan_is_better(of_tv, futures, capsys):
    same, paths = futures
    plans = {"same": same, "dark": same.assign(tv=0.0)}
    want = bc.summarize(bc.plan(bc.load(of_tv), plans))
    ask = [part for name, path in paths.items() for part in ("--plan", f"{name}={path}")]
    assert main(["plan", str(of_tv), *ask, "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["plans"]
    assert row["plan"] == "dark"
    assert row["median"] == pytest.approx(want.loc["dark", "median"])
    assert row["p_better"] == pytest.approx(want.loc["dark", "p_positive"])
    assert main(["plan", str(of_tv), *ask]) == 0
    assert "Against 'same'" in capsys.readouterr().out


def test_optimize_takes_the_time_to_come(of_tv, futures, capsys):
    _, paths = futures
    ask = ["--future", str(paths["same"]), "--format", "json"]
    assert main(["optimize", str(of_tv), *ask]) == 0
    said = json.loads(capsys.readouterr().out)
    assert "2025-1" in said["title"] or "2026-" in said["title"]
    assert {row["channel"] for row in said["channels"]} == {"tv"}


def test_a_wrong_future_is_one_line(of_tv, futures, tmp_path, capsys):
    _, paths = futures
    assert "NAME=PLAN.csv" in fails(capsys, "plan", str(of_tv), "--plan", "same.csv")
    assert "two futures or more" in fails(capsys, "plan", str(of_tv), "--periods", "4")
    assert "No such file" in fails(capsys, "forecast", str(of_tv), "--future", str(tmp_path / "x"))
    late = pd.read_csv(paths["same"])
    late.iloc[2:].to_csv(tmp_path / "late.csv", index=False)
    said = fails(capsys, "forecast", str(of_tv), "--future", str(tmp_path / "late.csv"))
    assert "The period after the data is" in said
