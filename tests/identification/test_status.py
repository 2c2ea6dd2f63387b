"""Statuses and grades are ordered, and are the strings that files and users have."""

import json
import pickle
from itertools import pairwise

import numpy as np
import pytest
import yaml

from bayescausal.graphs.graph import Graph
from bayescausal.identification.grades import Letter
from bayescausal.identification.status import FROM_DATA, WEAK, Status, composite, weakest
from bayescausal.identification.verdicts import identify


def test_statuses_stand_in_order_of_strength():
    assert [status.rank for status in Status] == list(range(len(Status)))
    for stronger, weaker in pairwise(Status):
        assert weakest([weaker, stronger]) is weakest([stronger, weaker]) is weaker
    assert weakest([]) is Status.NOT_IDENTIFIED
    assert max(status.rank for status in FROM_DATA) < min(status.rank for status in WEAK)


@pytest.mark.parametrize("status", FROM_DATA)
def test_several_edges_are_composed_by_additivity(status):
    assert composite([status]) is status
    assert composite([status, Status.BACKDOOR]) is Status.ADDITIVE
    assert composite([status, Status.INSTRUMENT]) is Status.INSTRUMENT


@pytest.mark.parametrize("member", [*Status, *Letter])
def test_a_member_is_its_text_wherever_it_goes(member):
    text = str(member)
    assert type(text) is str
    assert member == text
    assert f"{member}" == "%s" % member == text  # noqa: UP031 (users have both)
    assert repr([member]) == repr([text])
    assert {member: 1}[text] == {text: 1}[member] == 1
    assert json.loads(json.dumps({"it": member})) == {"it": text}
    assert np.array([member]).dtype == np.array([text]).dtype
    assert (np.array([text, "other"]) == member).tolist() == [True, False]
    assert pickle.loads(pickle.dumps(member)) is member


def test_the_dict_of_a_verdict_can_be_written_as_yaml():
    graph = Graph.parse("z -> tv -> search -> sales <- tv\ntv <-> sales", outcome="sales")
    as_dict = identify(graph, "tv").to_dict()
    assert as_dict["status"] == "instrument"
    assert yaml.safe_load(yaml.safe_dump(as_dict)) == as_dict
