"""Settings of `augment`: those that mean nothing are refused, those of any library are read."""

import numpy as np
import pytest
from augmentation.worlds import frame_of

from bayescausal.augmentation.augment import Augmented, augment
from bayescausal.augmentation.blocks import Block, Table
from bayescausal.augmentation.conditionals import ResidualBootstrap
from bayescausal.augmentation.strategies import STRATEGIES, conditional_from_names
from bayescausal.errors import DataError, GraphError, SpecError
from bayescausal.graphs.graph import Graph
from bayescausal.specs.augmentation import CONDITIONALS

CHAIN = Graph.parse("a -> b -> c")
FRAME = frame_of("abc", 20, 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"uniforms": "lattin"}, "latin, sobol, independent; got 'lattin'. Did you mean 'latin'"),
        ({"uniforms": None}, "got None"),
        ({"method": "ancestrall"}, "Did you mean 'ancestral'"),
        ({"seed": 1.9}, "seed is a whole number, 0 or more.*got 1.9"),
        ({"seed": -1}, "got -1"),
        ({"seed": "a"}, "got 'a'. Try seed=1"),
        ({"seed": True}, "got True"),
        ({"seed": np.random.default_rng(1)}, "got Generator"),
        ({"budget": 10.0}, "1 or more; got 10.0"),
        ({"budget": True}, "got True"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(SpecError, match=message):
        augment(FRAME, CHAIN, **settings)


@pytest.mark.parametrize("method", ["ancestral", "threshold", "reduce"])
def test_whole_numbers_of_numpy_are_whole_numbers(method):
    numpy_rows = augment(FRAME, CHAIN, method, budget=np.int64(30), seed=np.int64(3))
    python_rows = augment(FRAME, CHAIN, method, budget=30, seed=3)
    assert np.array_equal(numpy_rows.indices, python_rows.indices)
    assert type(numpy_rows.seed) is int
    wide = augment(FRAME, CHAIN, windows={"a": np.int64(2)}, budget=30, seed=3)
    assert wide.plan.table.blocks["a"].columns == ("a", "a@1", "a@2")


def test_a_graph_may_be_given_as_its_text():
    rows = augment(FRAME, "a -> b -> c", budget=30, seed=3)
    assert rows.plan.table.graph == augment(FRAME, CHAIN, budget=30, seed=3).plan.table.graph
    with pytest.raises(GraphError):
        augment(FRAME, "a -> ", budget=30)


def test_weights_take_no_column_away():
    block = Block("weight", ("weight",), np.arange(6.0)[:, None])
    table = Table({"weight": block}, Graph(isolated=("weight",)), FRAME.index[:6])
    rows = augment(table, table.graph, budget=5, seed=0)
    assert isinstance(rows, Augmented)
    with pytest.raises(DataError, match="A node is called 'weight'"):
        rows.to_frame()


def test_every_name_of_a_conditional_is_one():
    assert set(STRATEGIES) == set(CONDITIONALS)
    assert conditional_from_names("residual-bootstrap") == ResidualBootstrap()
    assert conditional_from_names({"y": "residual-bootstrap-linear"}) == {
        "y": ResidualBootstrap(0, False)
    }
