"""`Config.read`: CSV files as they come from other programs, and names that look like gaps."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml

import bayescausal as bc
from bayescausal.errors import DataError, FileError, SpecError
from bayescausal.presentation.cli import main

SPEC = {"graph": "tv -> sales", "outcome": "sales", "treatments": ["tv"]}


def frame(rows=12, **columns):
    rng = np.random.default_rng(4)
    week = pd.date_range("2025-01-06", periods=rows, freq="7D")
    own = {"week": week, "tv": rng.gamma(3, 10, rows), "sales": rng.gamma(30, 10, rows)}
    return pd.DataFrame(own | columns)


def panel(*units):
    return pd.concat([frame(geo=unit) for unit in units], ignore_index=True)


def write(folder, text, **data):
    (folder / "weekly.csv").write_text(text)
    given = {"data": {"path": "weekly.csv", "time": "week"} | data, "spec": SPEC}
    (folder / "model.yaml").write_text(yaml.safe_dump(given))
    return folder / "model.yaml"


@pytest.mark.parametrize("names", [("NA", "DE"), ("null", "None"), ("NA", "1"), ("nan", "N/A")])
def test_a_unit_may_be_called_na(tmp_path, names):
    rows = panel(*names)
    path = write(tmp_path, rows.to_csv(index=False), unit="geo")
    data = bc.Config.read(path).data
    assert data.units == names
    assert data.hash == bc.Dataset.from_frame(rows, time="week", unit="geo").hash


def test_units_that_look_like_numbers_stay_as_they_are_written(tmp_path):
    path = write(tmp_path, panel("07", "1e5").to_csv(index=False), unit="geo")
    assert bc.Config.read(path).data.units == ("07", "1e5")


def test_a_unit_without_a_name_is_missing(tmp_path):
    path = write(tmp_path, panel("", "DE").to_csv(index=False), unit="geo")
    with pytest.raises(DataError, match="'geo' has 12 missing units"):
        bc.Config.read(path)


def test_na_in_a_column_of_numbers_is_missing(tmp_path):
    rows = panel("NA", "DE").astype({"tv": object})
    rows.loc[3, "tv"] = "NA"
    path = write(tmp_path, rows.to_csv(index=False), unit="geo")
    with pytest.raises(DataError, match="'tv' has 1 missing"):
        bc.Config.read(path)


@pytest.mark.parametrize(
    ("sign", "decimal", "word"),
    [(";", ",", "semicolons"), (";", ".", "semicolons"), ("\t", ".", "tabs")],
)
def test_another_sign_between_columns_is_named(tmp_path, capsys, sign, decimal, word):
    path = write(tmp_path, frame().to_csv(index=False, sep=sign, decimal=decimal))
    assert main(["validate", str(path)]) == 2
    said = capsys.readouterr().err
    assert f"looks like a file with {word} between its columns" in said
    assert f"sep={sign!r}, decimal=','" in said
    assert said.count("\n") == 1
    made = pd.read_csv(tmp_path / "weekly.csv", sep=sign, decimal=decimal)
    made.to_csv(tmp_path / "weekly.csv", index=False)
    assert main(["validate", str(path)]) == 0


def test_a_semicolon_in_a_name_is_no_separator(tmp_path):
    path = write(tmp_path, frame(**{"a;b;c;d;e": 1.0}).to_csv(index=False))
    assert "a;b;c;d;e" in bc.Config.read(path).data.columns


def test_a_packed_file_is_read(tmp_path):
    path = write(tmp_path, "", path="weekly.csv.gz")
    frame().to_csv(tmp_path / "weekly.csv.gz", index=False)
    assert len(bc.Config.read(path).data.time) == 12


def test_a_key_that_stands_twice_is_named_with_its_lines(tmp_path, capsys):
    path = write(tmp_path, frame().to_csv(index=False))
    path.write_text(path.read_text() + "data: {path: weekly.csv, time: day}\n")
    with pytest.raises(SpecError, match="'data' twice"):
        bc.Config.read(path)
    assert main(["validate", str(path)]) == 2
    assert "'data' twice in one mapping, in lines 1 and" in capsys.readouterr().err


def test_text_for_numbers_is_named(tmp_path, capsys):
    rows = frame(tv=["12,345.60"] + ["7"] * 11)
    assert main(["validate", str(write(tmp_path, rows.to_csv(index=False)))]) == 2
    assert "text such as '12,345.60', not numbers" in capsys.readouterr().err


@pytest.mark.parametrize("path", [None, 3, "", ["model.yaml"]])
def test_a_path_that_is_none_is_refused_with_advice(path):
    for read in (bc.Config.read, bc.Config.read_spec):
        with pytest.raises(FileError, match="A path is text such as"):
            read(path)


def test_the_package_runs_the_command_line():
    run = [sys.executable, "-m", "bayescausal", "--version"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == f"bayescausal {bc.__version__}"


def test_settings_of_before_are_refused_with_advice(tmp_path):
    path = write(tmp_path, frame().to_csv(index=False))
    written = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(written | {"fit": {"backend": "jax"}}))
    with pytest.raises(SpecError, match=r"'backend' is gone.*leave it out"):
        bc.Config.read(path)
