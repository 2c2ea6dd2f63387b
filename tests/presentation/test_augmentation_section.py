"""Report and command line of a fit with augmentation: the label, and both fits side by side."""

import html
import json
import re
from dataclasses import replace

import pytest
from augmented_cases import WEEKS

import bayescausal as bc
from bayescausal.presentation.augmentation_section import comparison_section
from bayescausal.presentation.cli import main
from bayescausal.presentation.formatting import number

KIND = "Weighted-likelihood posterior: augmented rows (ancestral) have up to 44% of the weight"
pytestmark = pytest.mark.filterwarnings("ignore::bayescausal.errors.NotConverged")


@pytest.fixture(scope="module")
def moved(augmented_fit):
    """The fit without, called augmented, with an effect that lies 1.5 sd higher."""
    plain = augmented_fit.plain
    posterior = plain.tree["posterior"].to_dataset()
    # Its prior is on the mean contribution a week, in units of the largest sales.
    unit = WEEKS * float(plain.data.scale("sales")[0])
    total = bc.effect(plain, bc.incremental("tv"))
    posterior["tv->sales"] = posterior["tv->sales"] + 1.5 * total.std().item() / unit
    tree = augmented_fit.tree.copy()
    tree["posterior"].dataset = posterior
    return replace(augmented_fit, tree=tree)


def rendered(fit, folder):
    return bc.report(fit, folder / "report.html").read_text(encoding="utf-8")


def cells(page):
    """Text of the cells of the table of both fits, by row."""
    table = page[page.index('id="beside"') :]
    table = table[table.index("<tbody>") : table.index("</tbody>")]
    rows = re.findall(r"<tr>(.*?)</tr>", table, flags=re.DOTALL)
    return [
        [
            html.unescape(re.sub("<[^>]+>", " ", c)).split()
            for c in re.findall(r"<t[hd].*?</t[hd]>", r)
        ]
        for r in rows
    ]


def test_the_report_shows_both_fits_side_by_side(augmented_fit, tmp_path):
    page = rendered(augmented_fit, tmp_path)
    assert page.index(KIND) < page.index('<ul class="answers')  # before any number
    line = bc.compare_augmentation(augmented_fit).iloc[0]
    name, without, given, shift, width, flag = (" ".join(c) for c in cells(page)[0])
    assert name == "tv"
    for shown, prefix in ((without, ""), (given, "augmented_")):
        median, low, high = (number(line[f"{prefix}{k}"]) for k in ("median", "low", "high"))
        assert shown == f"{median} {low} to {high}"
    assert shift == f"{line['shift']:+.1f} sd"
    assert width == f"{line['sd_ratio']:.2f}"
    assert flag == "none"
    assert "MOVED" not in page
    state = str(augmented_fit.plain.convergence)
    assert state in html.unescape(page[page.index('id="beside"') :])


def test_an_effect_that_moved_is_an_alarm(moved, tmp_path):
    page = rendered(moved, tmp_path)
    assert bc.compare_augmentation(moved)["moved"].tolist() == [True]
    said = "MOVED: Augmentation moved the effect of tv by +1.5 posterior sd"
    assert page.index(said) < page.index('<ul class="answers')
    assert " ".join(cells(page)[0][-1]) == "moved: trust the fit without"


def test_a_fit_without_augmentation_has_nothing_beside_it(augmented_fit):
    assert comparison_section(augmented_fit, 0.9)["rows"]
    assert comparison_section(augmented_fit.plain, 0.9) is None


def test_the_table_of_effects_says_what_kind_of_posterior_it_is_of(augmented_fit):
    assert bc.effects_table(augmented_fit, 0.8).attrs["posterior"].startswith(KIND)
    assert bc.effects_table(augmented_fit.plain, 0.8).attrs == {"prob": 0.8}


def test_the_command_line_says_it_too(augmented_fit, moved, tmp_path, capsys):
    path = augmented_fit.save(tmp_path / "model.nc")
    assert main(["effects", str(path)]) == 0
    out, err = capsys.readouterr()
    assert KIND in out
    assert "MOVED" not in err
    path = moved.save(tmp_path / "moved.nc")
    assert main(["effects", str(path), "--format", "json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["posterior"].startswith(KIND)
    assert "MOVED: Augmentation moved the effect of tv by +1.5" in err
    assert err.count("MOVED") == 1


def test_the_command_line_says_nothing_of_a_fit_without(augmented_fit, tmp_path, capsys):
    path = augmented_fit.plain.save(tmp_path / "plain.nc")
    assert main(["effects", str(path), "--format", "json"]) == 0
    out, err = capsys.readouterr()
    assert "posterior" not in json.loads(out)
    assert "MOVED" not in err
