"""What an index stands for: categories, windows, units, groups; and data that cannot be used."""

import numpy as np
import pandas as pd
import pytest

from bayescausal.augmentation.augment import augment
from bayescausal.augmentation.blocks import UNIT, Block, read_table
from bayescausal.augmentation.conditionals import KNearest, NadarayaWatson, ResidualBootstrap
from bayescausal.augmentation.diagnostics import diagnose_augmentation
from bayescausal.augmentation.donors import Conditional, Donors, ParentValues
from bayescausal.augmentation.forest import Forest
from bayescausal.augmentation.local_linear import LocalLinear
from bayescausal.data.dataset import Dataset
from bayescausal.errors import BayesCausalError, DataError, GraphError, SpecError
from bayescausal.graphs.graph import Graph
from bayescausal.specs.row_methods import Ancestral, Reduce

CHAIN = Graph.parse("tv -> search -> sales")


def frame(rows=30, seed=0):
    rng = np.random.default_rng(seed)
    tv = rng.normal(size=rows)
    search = tv + rng.normal(size=rows)
    return pd.DataFrame({"tv": tv, "search": search, "sales": search + rng.normal(size=rows)})


def panel(units=3, weeks=20, history=0):
    rng = np.random.default_rng(1)
    rows = [
        {"week": week, "geo": f"g{u}", "tv": rng.gamma(2), "sales": 10.0 * u + rng.normal()}
        for u in range(units)
        for week in pd.date_range("2024-01-01", periods=weeks, freq="7D")
    ]
    return Dataset.from_frame(pd.DataFrame(rows), time="week", unit="geo", history=history)


CATEGORIES = {
    "bool": (pd.Series([True, False, True] * 4), (False, True)),
    "nullable bool": (pd.Series([True, False, True] * 4, dtype="boolean"), (False, True)),
    "text": (pd.Series(["b", "a", "b"] * 4), ("a", "b")),
    "text as objects": (pd.Series(["b", "a", "b"] * 4, dtype=object), ("a", "b")),
    "category of numbers": (pd.Series([10, 9, 10] * 4, dtype="category"), (9, 10)),
    "ordered category": (
        pd.Series(pd.Categorical(["high", "low", "high"] * 4, ["low", "high", "none"])),
        ("low", "high"),
    ),
}


@pytest.mark.parametrize("kind", CATEGORIES)
def test_a_category_keeps_its_values(kind):
    column, levels = CATEGORIES[kind]
    data = pd.DataFrame({"promo": column, "sales": np.arange(12.0)})
    graph = Graph.parse("promo -> sales")
    block = read_table(data, graph).blocks["promo"]
    assert block.discrete
    assert not block.scalar
    assert block.levels == levels
    assert [levels[int(code)] for code in block.values[:, 0]] == column.to_list()
    values = augment(data, graph, Ancestral(50), seed=0).to_frame()["promo"]
    assert set(values) == set(levels)
    assert {type(value) for value in values.to_list()} == {type(value) for value in levels}


def test_whole_numbers_are_continuous_unless_declared():
    data = pd.DataFrame({"spend": [1, 2, 3, 4, 5, 6], "sales": range(6)}).astype("Int64")
    graph = Graph.parse("spend -> sales")
    assert read_table(data, graph).blocks["spend"].scalar
    declared = read_table(data, graph, discrete="spend").blocks["spend"]
    assert declared.levels == (1, 2, 3, 4, 5, 6)


def test_whole_numbers_with_few_values_may_be_declared():
    data = frame().assign(tv=np.arange(30) % 15)
    assert len(read_table(data, CHAIN, discrete="tv").blocks["tv"].levels) == 15


def test_digits_may_be_labels():
    months = [f"{k % 12 + 1:02}" for k in range(30)]
    assert len(read_table(frame().assign(tv=months), CHAIN).blocks["tv"].levels) == 12
    weeks = pd.Series([str(k % 15) for k in range(30)], dtype="category")
    assert len(read_table(frame().assign(tv=weeks), CHAIN).blocks["tv"].levels) == 15


def test_a_column_of_labels_that_repeats_evenly_is_noted():
    """Nobody said that it is a unit; nobody said that it is not."""
    odd = frame().assign(
        geo=["n", "s", "w"] * 10,
        note=["x"] * 7 + ["y"] * 23,
        one=["a"] * 30,
        name=[f"row {k}" for k in range(30)],
    )
    rows = augment(odd, CHAIN, Ancestral(50), seed=0)
    (note,) = rows.notes
    assert note.startswith("Column 'geo' is not in the graph, and each of its 3 values has 10 rows")
    assert note in " ".join(repr(rows).split())
    assert note in diagnose_augmentation(rows).advice
    assert augment(odd.drop(columns="geo"), CHAIN, method=Ancestral(50), seed=0).notes == ()
    frame_with_unit = odd.rename(columns={"geo": "unit"})
    assert read_table(frame_with_unit, Graph.parse("tv, unit -> sales")).notes == ()


def test_dates_that_repeat_are_no_panel_where_the_unit_is_in_the_graph():
    dated = frame().assign(unit=["n", "s"] * 15, week=pd.date_range("2024", periods=15).repeat(2))
    assert len(read_table(dated, Graph.parse("tv, unit -> sales"))) == 30
    unique_dates = frame().set_index(pd.date_range("2024", periods=30, freq="7D"))
    assert len(read_table(unique_dates, CHAIN)) == 30


def test_ties_point_to_the_first_row_with_the_same_values():
    block = Block("x", ("x", "x@1"), np.array([[1, 2], [3, 4], [1, 2], [1, 4], [3, 4.0]]))
    assert block.ties.tolist() == [0, 1, 0, 3, 1]


def test_a_window_holds_the_values_before_and_zero_before_the_first():
    data = pd.DataFrame({"tv": [5.0, 6, 7, 8, 9], "sales": range(5)})
    table = read_table(data, Graph.parse("tv -> sales @ 2"), windows={"tv": 1})
    block = table.blocks["tv"]
    assert block.columns == ("tv", "tv@1", "tv@2")  # the lagged edge reads farther than was asked
    assert block.values.tolist() == [[5, 0, 0], [6, 5, 0], [7, 6, 5], [8, 7, 6], [9, 8, 7]]
    assert [edge.lag for edge in table.graph.edges] == [0]


def test_windows_reach_into_the_history_and_not_into_another_unit():
    data = panel(units=2, weeks=8, history=2)
    table = read_table(data, Graph.parse("tv -> sales"), windows={"tv": 3})
    tv = data.array("tv")
    assert len(table) == 2 * 6
    windows = table.blocks["tv"].values.reshape(2, 6, 4)
    for unit in range(2):
        for week in range(2, 8):
            expected = [tv[unit, week - k] if week >= k else 0.0 for k in range(4)]
            assert windows[unit, week - 2].tolist() == expected
    assert table.rows.to_frame()["time"].min() == data.training[0]


class Anyone(Conditional):
    """A user's estimator that knows nothing of units."""

    def bind(self, parents, own):
        return Donors(parents, own)


@pytest.mark.parametrize(
    "conditional",
    [
        None,
        NadarayaWatson(mismatch=None),
        NadarayaWatson("likelihood", mismatch=1.0),
        KNearest(k=40),
        ResidualBootstrap(),
        ResidualBootstrap(local=True),
        LocalLinear(),
        Forest(trees=10),
        Anyone(),
    ],
    ids=repr,
)
@pytest.mark.parametrize("method", [Ancestral(300), Reduce(300)], ids=["ancestral", "reduce"])
def test_rows_of_a_panel_never_recombine_across_units(conditional, method):
    rows = augment(panel(), Graph.parse("tv -> sales"), method, conditional=conditional, seed=2)
    unit = np.repeat(np.arange(3), 20)[rows.indices]  # of the row that each block was taken from
    assert (unit == unit[:, :1]).all()
    assert set(unit[:, 0]) == {0, 1, 2}
    if conditional is None:
        values, column = rows.values["tv"], rows.order.index("tv")
        observed = rows.plan.table.blocks["tv"].values
        assert (values == observed[rows.indices[:, column]]).all()  # a root is taken as it is


def test_a_unit_without_any_donor_of_its_own_lends_all_its_rows():
    table = read_table(panel(), Graph.parse("tv -> sales"))
    parents = [table.blocks["tv"], table.blocks[UNIT]]

    class First(Donors):
        def probabilities(self, given):
            return np.eye(60)[np.zeros(len(given[0].values), int)]

    class Stubborn(Conditional):
        def bind(self, parents, own):
            return First(parents, own)

    from_second = np.array([20])
    given = [ParentValues(parent.values[from_second], from_second) for parent in parents]
    chosen = Stubborn().fit(parents, table.blocks["sales"]).probabilities(given)
    assert chosen[0].tolist() == [0.0] * 20 + [1 / 20] * 20 + [0.0] * 20


def test_groups_are_moved_together():
    data = frame().assign(season=np.sin(np.arange(30)), trend=np.arange(30.0))
    graph = Graph.parse("season, trend, tv -> sales")
    table = read_table(data, graph, together=[("trend", "season")])
    assert table.graph.nodes == ("sales", "trend+season", "tv")
    assert table.graph.parents("sales") == ("trend+season", "tv")
    rows = augment(table, graph, Ancestral(100), seed=0)
    table_of_rows = rows.to_frame()
    assert np.allclose(table_of_rows["season"], np.sin(table_of_rows["trend"]))


def test_a_latent_needs_no_column():
    graph = Graph.parse("mood -> tv, sales\nlatent: mood")
    assert read_table(frame(), graph).graph.bidirected == (("sales", "tv"),)


def bad_data(name, value, **settings):
    data = frame()
    data[name] = value
    return data, CHAIN, settings


WRONG = {
    "no column": (lambda: (frame(), Graph.parse("tv -> sale"), {}), DataError, "'sales'"),
    "missing": (lambda: bad_data("tv", [np.nan, *range(29)]), DataError, "'tv' has 1 missing"),
    "infinite": (lambda: bad_data("tv", [np.inf, *range(29)]), DataError, "infinite"),
    "infinite category": (
        lambda: bad_data("tv", [np.inf, *range(29)], discrete=["tv"]),
        DataError,
        "infinite",
    ),
    "one value": (lambda: bad_data("tv", 3.0), DataError, "'tv' has one value in all 30 rows"),
    "one category": (lambda: bad_data("tv", "a"), DataError, "'tv' has one value"),
    "few rows": (lambda: (frame(4), CHAIN, {}), DataError, "There are 4 rows; 5 are"),
    "dates": (lambda: bad_data("tv", pd.date_range("2024", periods=30)), DataError, "datetime64"),
    "complex": (lambda: bad_data("tv", 1j * np.arange(30)), DataError, "complex128"),
    "lists": (
        lambda: bad_data("tv", pd.Series([[1]] * 30)),
        DataError,
        "neither a number nor a cat",
    ),
    "numbers as objects": (
        lambda: bad_data("tv", pd.Series(range(30), dtype=object)),
        DataError,
        r"frame\['tv'\].astype\(float\)",
    ),
    "two columns": (
        lambda: (pd.concat([frame(), frame()[["tv"]]], axis=1), CHAIN, {}),
        DataError,
        "2 columns 'tv'",
    ),
    "array": (lambda: (frame().to_numpy(), CHAIN, {}), DataError, r"pd.DataFrame\(array"),
    "units in a column": (lambda: bad_data("unit", ["a", "b"] * 15), DataError, "across units"),
    "units in the index": (
        lambda: (frame().set_index([["a"] * 15 + ["b"] * 15, [*range(15)] * 2]), CHAIN, {}),
        DataError,
        "across units",
    ),
    "dates that repeat in the index": (
        lambda: (frame().set_index(pd.date_range("2024", periods=15).repeat(2)), CHAIN, {}),
        DataError,
        r"The index has dates that repeat, in 15 rows.*unit='geo'.*frame.reset_index\(drop=True\)",
    ),
    "periods that repeat in the index": (
        lambda: (frame().set_index(pd.period_range("2024", periods=15).repeat(2)), CHAIN, {}),
        DataError,
        "across units",
    ),
    "dates that repeat in a column": (
        lambda: bad_data("week", pd.date_range("2024", periods=15).repeat(2)),
        DataError,
        r"Column 'week' has dates that repeat.*frame.drop\(columns='week'\)",
    ),
    "numbers as text": (
        lambda: bad_data("tv", [f"{k}.25" for k in range(30)]),
        DataError,
        r"'tv' is a category of 30 levels in 30 rows.*look like numbers: frame\['tv'\].astype",
    ),
    "rounded numbers as text": (
        lambda: bad_data("tv", [f"{k % 13}.5" for k in range(30)]),
        DataError,
        r"13 levels.*astype\(float\). If they are labels: .astype\('category'\)",
    ),
    "a label for every row": (
        lambda: bad_data("tv", [f"campaign {k % 16}" for k in range(30)]),
        DataError,
        "'tv' is a category of 16 levels in 30 rows.*group its levels",
    ),
    "a number declared a category": (
        lambda: bad_data("tv", np.linspace(0, 1, 30), discrete=["tv"]),
        DataError,
        r"It is a number: leave it out of discrete=",
    ),
    "a node called weight": (
        lambda: (frame().rename(columns={"tv": "weight"}), Graph.parse("weight -> sales"), {}),
        DataError,
        r"frame.rename\(columns=\{'weight': 'mass'\}\)",
    ),
    "windows across units": (
        lambda: (
            frame().assign(unit=["a", "b"] * 15),
            Graph.parse("tv, unit -> sales"),
            {"windows": {"tv": 1}},
        ),
        DataError,
        "into the next",
    ),
    "lag of a mediator": (
        lambda: (frame(), Graph.parse("tv -> search\nsearch -> sales @ 1"), {}),
        GraphError,
        "'search' acts with a lag of 1 and has causes of its own",
    ),
    "memory of its own": (
        lambda: (frame(), Graph.parse("tv -> sales\nsales -> sales @ 1"), {}),
        GraphError,
        "'sales' acts with a lag",
    ),
    "window of a category": (
        lambda: bad_data("tv", ["a", "b"] * 15, windows={"tv": 1}),
        DataError,
        "is a category and acts with a lag",
    ),
    "window of nothing": (
        lambda: (frame(), CHAIN, {"windows": {"tvs": 1}}),
        GraphError,
        "Did you mean 'tv'",
    ),
    "window of a fraction": (
        lambda: (frame(), CHAIN, {"windows": {"tv": 1.5}}),
        DataError,
        "number of periods",
    ),
    "discrete nothing": (
        lambda: (frame(), CHAIN, {"discrete": ["serch"]}),
        DataError,
        "Did you mean 'search'",
    ),
    "together, no root": (
        lambda: (frame(), CHAIN, {"together": [("tv", "search")]}),
        GraphError,
        "'search' cannot be moved together",
    ),
    "together, no groups": (
        lambda: (frame(), CHAIN, {"together": ("tv", "search")}),
        GraphError,
        "takes groups of nodes",
    ),
    "together, twice": (
        lambda: (frame(), CHAIN, {"together": [("tv", "sales"), ("tv", "search")]}),
        GraphError,
        "'tv' twice",
    ),
    "together, nothing": (
        lambda: (frame(), CHAIN, {"together": [("tv", "serch")]}),
        GraphError,
        "Did you mean 'search'",
    ),
    "a table and settings": (
        lambda: (read_table(frame(), CHAIN), CHAIN, {"windows": {"tv": 1}}),
        DataError,
        "where it is read",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_data_are_refused_with_advice(case):
    arguments, error, message = WRONG[case]
    data, graph, settings = arguments()
    with pytest.raises(error, match=message):
        read_table(data, graph, **settings)


SETTINGS = {
    "too many rows": (
        {"method": Ancestral(10**9)},
        r"need about \d+\.\d GB. Ask for rows=\d+",
    ),
    "method": ({"method": "ancestor"}, "Did you mean 'ancestral'"),
    "conditional of nothing": (
        {"conditional": {"sale": ResidualBootstrap()}},
        "Did you mean 'sales'",
    ),
    "no conditional": ({"conditional": "residual"}, r"takes a Conditional.*got 'residual'"),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_bad_settings_are_refused_with_advice(case):
    settings, message = SETTINGS[case]
    with pytest.raises(BayesCausalError, match=message):
        augment(frame(), CHAIN, **settings)


def test_residuals_of_a_category_are_refused():
    data = frame().assign(sales=["a", "b"] * 15)
    with pytest.raises(SpecError, match=r"'sales' is a category.*NadarayaWatson"):
        augment(data, CHAIN, conditional=ResidualBootstrap())
