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
from bayescausal.specs.row_methods import Ancestral, Reduce, Threshold

CHAIN = Graph.parse("a -> b -> c")
FRAME = frame_of("abc", 20, 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "ancestrall"}, r"Ancestral\(rows=...\).*Did you mean 'ancestral'"),
        ({"method": None}, "got None"),
        ({"method": Ancestral}, r"method is one of.*Reduce\(rows=...\).*got <class"),
        ({"seed": 1.9}, "seed is a whole number, 0 or more.*got 1.9"),
        ({"seed": -1}, "got -1"),
        ({"seed": "a"}, "got 'a'. Try seed=1"),
        ({"seed": True}, "got True"),
        ({"seed": np.random.default_rng(1)}, "got Generator"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(SpecError, match=message):
        augment(FRAME, CHAIN, **settings)


@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [
        (Ancestral, {"uniforms": "lattin"}, "independent; got 'lattin'. Did you mean 'latin'"),
        (Ancestral, {"uniforms": None}, "got None"),
        *(
            (method, {"rows": rows}, f"rows is a whole number, 1 or more; got {rows}")
            for method in (Ancestral, Threshold, Reduce)
            for rows in (0, 0.5, 10.0, True)
        ),
        *(
            (Threshold, {"theta": theta}, r"theta lies between 0 and 1.*try 0.001")
            for theta in (0, 0.0, 1, 1.0, -0.1, 2.0, float("nan"), "0.1", True)
        ),
        (Threshold, {"absolute": "no"}, "absolute is True or False"),
    ],
)
def test_settings_of_a_method_that_mean_nothing_are_refused(method, settings, message):
    with pytest.raises(SpecError, match=message):
        method(**settings)


@pytest.mark.parametrize("setting", [{"theta": 0.1}, {"absolute": True}])
@pytest.mark.parametrize("method", [Ancestral, Reduce])
def test_a_method_has_no_setting_of_another(method, setting):
    with pytest.raises(TypeError, match=next(iter(setting))):
        method(**setting)


@pytest.mark.parametrize("method", [Ancestral, Threshold, Reduce])
def test_a_name_stands_for_a_method_with_its_defaults(method):
    named, stated = (augment(FRAME, CHAIN, how, seed=3) for how in (method.name, method()))
    assert named.method == stated.method == method()
    assert np.array_equal(named.indices, stated.indices)
    assert repr(stated).startswith(f"Augmented({len(stated)} rows")
    assert f"; {method.name}, mass" in repr(stated)


@pytest.mark.parametrize("method", [Ancestral, Threshold, Reduce])
def test_whole_numbers_of_numpy_are_whole_numbers(method):
    numpy_rows = augment(FRAME, CHAIN, method(rows=np.int64(30)), seed=np.int64(3))
    python_rows = augment(FRAME, CHAIN, method(rows=30), seed=3)
    assert type(numpy_rows.method.rows) is int
    assert np.array_equal(numpy_rows.indices, python_rows.indices)
    assert type(numpy_rows.seed) is int
    wide = augment(FRAME, CHAIN, windows={"a": np.int64(2)}, method=Ancestral(30), seed=3)
    assert wide.plan.table.blocks["a"].columns == ("a", "a@1", "a@2")


def test_a_graph_may_be_given_as_its_text():
    rows = augment(FRAME, "a -> b -> c", Ancestral(30), seed=3)
    assert rows.plan.table.graph == augment(FRAME, CHAIN, Ancestral(30), seed=3).plan.table.graph
    with pytest.raises(GraphError):
        augment(FRAME, "a -> ", Ancestral(30))


def test_weights_take_no_column_away():
    block = Block("weight", ("weight",), np.arange(6.0)[:, None])
    table = Table({"weight": block}, Graph(isolated=("weight",)), FRAME.index[:6])
    rows = augment(table, table.graph, Ancestral(5), seed=0)
    assert isinstance(rows, Augmented)
    with pytest.raises(DataError, match="A node is called 'weight'"):
        rows.to_frame()


def test_every_name_of_a_conditional_is_one():
    assert set(STRATEGIES) == set(CONDITIONALS)
    assert conditional_from_names("residual-bootstrap") == ResidualBootstrap()
    assert conditional_from_names({"y": "residual-bootstrap-linear"}) == {
        "y": ResidualBootstrap(0, False)
    }
