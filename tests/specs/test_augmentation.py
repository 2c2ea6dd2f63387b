import numpy as np
import pytest

from bayescausal.errors import SpecError
from bayescausal.specs.augmentation import CONDITIONALS, Augmentation


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"seed": 1.9}, "Augmentation: seed is a whole number, 0 or more"),
        ({"seed": -1}, "got -1"),
        ({"seed": "a"}, "got 'a'"),
        ({"seed": None}, "got None"),
        ({"seed": np.random.default_rng(1)}, "got Generator"),
        ({"budget": 10.5}, "Augmentation: budget is a whole number, 1 or more"),
        ({"budget": 10**9}, "budget=1000000000 .* 56 GB .*most 35,714,285"),
        ({"theta": 0.1}, "theta is of method='threshold'; method='ancestral'"),
        ({"theta": 0.1, "method": "reduce"}, "method='reduce' has a budget"),
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
    given = Augmentation(budget=np.int64(100), seed=np.int64(2))
    assert given == Augmentation(budget=100, seed=2)
    assert type(given.budget) is type(given.seed) is int
    assert Augmentation(budget=35_000_000).budget == 35_000_000
    assert Augmentation(theta=0.1, method="threshold").theta == 0.1
    assert Augmentation(method="threshold", conditional="nadaraya-watson")


@pytest.mark.parametrize("name", CONDITIONALS)
def test_a_conditional_is_written_and_read(name):
    given = Augmentation(conditional={"y": name}, seed=3)
    assert Augmentation.from_dict(given.to_dict()) == given
