"""Claims of experts and the log of decisions: what is read, refused and written back."""

import pytest

import bayescausal as bc
from bayescausal.errors import GraphError, SpecError

GRAPH = bc.Graph.parse("demand -> tv, sales\ntv -> sales\nsales -> tv @ 1", outcome="sales")
TIERS = {"calendar": ["demand"], "media": ["tv"], "KPI": ["sales"]}
LOG = bc.GraphDecision("demand _||_ tv", "graph changed", "Anna", "the plan", "r 0.4", "2026-11-29")


def test_tiers_rule_out_what_runs_back_within_a_period():
    experts = bc.Experts(GRAPH, tiers=TIERS, forbidden="demand -> tv2 @ 3")
    assert not experts.allows("sales", "demand")
    assert experts.allows("sales", "tv", lag=1)
    assert experts.allows("tv", "sales")
    assert not experts.allows("demand", "tv2", lag=3)
    assert experts.allows("nobody", "tv")


def test_certainty_is_by_edge_or_for_all():
    assert bc.Experts(GRAPH, certainty=0.9).certainty_of("tv", "sales") == 0.9
    experts = bc.Experts(GRAPH, certainty={"tv -> sales": 1})
    assert experts.certainty_of("tv", "sales") == 1
    assert experts.certainty_of("demand", "tv") == 0.8


def test_what_is_said_is_written_and_read():
    experts = bc.Experts(
        bc.Spec(GRAPH, treatments=("tv",)),
        required=["tv -> sales", ("demand", "tv")],
        forbidden="tv -> demand",
        tiers=TIERS,
        certainty={"tv->sales": 0.95},
        latents=[("tv", "sales")],
        signs={"tv -> sales": 1},
        lags={"tv -> sales": [0, 2]},
    )
    assert bc.Experts.from_dict(experts.graph, experts.to_dict()) == experts
    assert experts.claims == GRAPH
    assert bc.Experts.from_dict(GRAPH, {}) == bc.Experts(GRAPH)


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"certainty": 0.5}, "above 0.5"),
        ({"certainty": {"tv -> sales": 1.2}}, "at most 1"),
        ({"certainty": {"tv -> demand": 0.9}}, "no such edge"),
        ({"required": ["tv -> demand"]}, "is required, and the graph does not have it"),
        ({"forbidden": ["tv -> sales"]}, "is forbidden, and the graph has it"),
        ({"tiers": {"late": ["demand"], "early": ["tv"]} | {"x": ["tv"]}}, "One|one tier"),
        ({"tiers": {"KPI": ["sales"], "media": ["tv"]}}, "back to 'KPI' within one period"),
        ({"tiers": [["tv"], ["sales"]]}, "tiers map names to nodes"),
        ({"signs": {"tv -> sales": 0}}, "is 1 or -1"),
        ({"signs": [1]}, "is a mapping by edge"),
        ({"lags": {"tv -> sales": 2}}, "earliest and the latest"),
        ({"lags": {"tv -> sales": (3, 1)}}, "3 or more"),
    ],
)
def test_claims_that_cannot_be_meant_are_refused(claims, message):
    with pytest.raises(SpecError, match=message):
        bc.Experts(GRAPH, **claims)


@pytest.mark.parametrize(
    "claims",
    [{"tiers": {"media": ["radio"]}}, {"latents": [("tv", "tv")]}, {"required": ["tv to sales"]}],
)
def test_names_and_edges_that_are_none_are_refused(claims):
    with pytest.raises(GraphError):
        bc.Experts(GRAPH, **claims)


def test_experts_need_a_graph():
    with pytest.raises(SpecError, match="takes a Graph or a Spec"):
        bc.Experts("tv -> sales")
    with pytest.raises(SpecError, match="Did you mean 'signs'"):
        bc.Experts.from_dict(GRAPH, {"sings": {}})


def test_a_spec_keeps_its_decisions_and_old_specs_have_none():
    spec = bc.Spec(GRAPH, treatments=("tv",), decisions=(LOG,))
    assert bc.Spec.from_yaml(spec.to_yaml()).decisions == (LOG,)
    old = {key: value for key, value in spec.to_dict().items() if key != "decisions"}
    assert bc.Spec.from_dict(old).decisions == ()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"verdict": "changed"}, "there is no 'changed'"),
        ({"reason": " "}, "'reason' is empty"),
        ({"by": ""}, "'by' is empty"),
        ({"date": "yesterday"}, "a day such as"),
        ({"seen": 5}, "is text"),
    ],
)
def test_a_log_that_says_nothing_is_refused(changed, message):
    fields = LOG.to_dict() | changed
    with pytest.raises(SpecError, match=message):
        bc.GraphDecision(**fields)


def test_an_open_question_needs_no_reason_and_other_kinds_are_refused():
    assert bc.GraphDecision("tv", "open", "Anna").reason == ""
    with pytest.raises(SpecError, match="'by' is missing"):
        bc.GraphDecision.from_dict({"subject": "tv", "verdict": "open"})
    with pytest.raises(SpecError, match="decisions takes GraphDecision values"):
        bc.Spec(GRAPH, treatments=("tv",), decisions=("kept",))
