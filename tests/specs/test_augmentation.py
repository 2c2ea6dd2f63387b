import numpy as np
import pytest

from bayescausal.errors import SpecError
from bayescausal.specs.augmentation import CONDITIONALS, Augmentation
from bayescausal.specs.row_methods import Ancestral, Reduce, Threshold


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"seed": 1.9}, "Augmentation: seed is a whole number, 0 or more"),
        ({"seed": -1}, "got -1"),
        ({"seed": "a"}, "got 'a'"),
        ({"seed": None}, "got None"),
        ({"seed": np.random.default_rng(1)}, "got Generator"),
        ({"method": "anvestral"}, "Did you mean 'ancestral'"),
        ({"method": Ancestral(10**9)}, "rows=1000000000 .* 56 GB .*most 35,714,285"),
        (
            {"method": "threshold", "conditional": "residual-bootstrap"},
            "every row is as unlikely.*Leave conditional out",
        ),
        (
            {"method": "threshold", "conditional": {"y": "residual-bootstrap-linear"}},
            "every row is as unlikely",
        ),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(given, says):
    with pytest.raises(SpecError, match=says):
        Augmentation(**given)


def test_settings_that_are_near_them_are_taken():
    given = Augmentation(method=Ancestral(np.int64(100)), seed=np.int64(2))
    assert given == Augmentation(method=Ancestral(100), seed=2)
    assert type(given.method.rows) is type(given.seed) is int
    assert Augmentation(method=Ancestral(35_000_000)).method.rows == 35_000_000
    assert Augmentation(method="reduce").method == Reduce(5000)
    assert Augmentation(method=Threshold(theta=0.1)).method == Threshold(0.1, rows=5000)
    assert Augmentation(method="threshold", conditional="nadaraya-watson")


@pytest.mark.parametrize("name", CONDITIONALS)
def test_a_conditional_is_written_and_read(name):
    given = Augmentation(conditional={"y": name}, seed=3)
    assert Augmentation.from_dict(given.to_dict()) == given


FILES = [
    ({}, Ancestral(5000)),
    ({"budget": 60}, Ancestral(60)),
    ({"uniforms": "sobol"}, Ancestral(5000, "sobol")),
    ({"method": "reduce"}, Reduce(5000)),
    ({"method": "reduce", "budget": 60}, Reduce(60)),
    ({"method": "threshold"}, Threshold(rows=5000)),
    ({"method": "threshold", "theta": 0.1, "budget": 60}, Threshold(0.1, rows=60)),
    ({"method": "threshold", "absolute": True}, Threshold(absolute=True, rows=5000)),
]


@pytest.mark.parametrize(("keys", "method"), FILES)
def test_a_file_keeps_the_settings_of_a_method_beside_its_name(keys, method):
    """Files of before have them so."""
    assert Augmentation.from_dict(keys) == Augmentation(method=method)
    assert Augmentation(method=method).to_dict() == keys


def test_a_setting_of_another_method_is_refused_in_a_file():
    with pytest.raises(SpecError, match=r"theta is no setting.*'ancestral'.*budget and uniforms"):
        Augmentation.from_dict({"theta": 0.1})
    with pytest.raises(SpecError, match=r"theta is no setting.*'reduce', which has budget"):
        Augmentation.from_dict({"theta": 0.1, "method": "reduce"})
    assert Augmentation.from_dict({"theta": None, "budget": 60}) == Augmentation(
        method=Ancestral(60)
    )
