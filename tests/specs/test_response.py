"""`Response`: transforms in order, one view of the coefficient, round trips and advice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayescausal.errors import SpecError
from bayescausal.specs.adstock import ADSTOCKS, DelayedAdstock, GeometricAdstock, NoAdstock
from bayescausal.specs.noise import (
    NormalNoise,
    StudentTNoise,
    noise_from_dict,
    noise_to_dict,
)
from bayescausal.specs.prior import POSITIVE, SHARE, Prior
from bayescausal.specs.response import (
    STRENGTHS,
    TRANSFORMS,
    Coefficient,
    MeanContribution,
    MediaContribution,
    RangeContribution,
    Response,
    ReturnOnSpend,
)
from bayescausal.specs.saturation import SATURATIONS, HillSaturation

positive = st.floats(1e-3, 1e3)
shares = st.builds(lambda a, b: Prior("Beta", alpha=a, beta=b), positive, positive)
scales = shares | st.builds(lambda s: Prior("HalfNormal", sigma=s), positive)
normals = st.builds(lambda m, s: Prior("Normal", mu=m, sigma=s), st.floats(-10, 10), positive)
priors = scales | normals


@st.composite
def transforms(draw, kind):
    changed = draw(st.sets(st.sampled_from(sorted(kind.defaults)))) if kind.defaults else set()
    fitting = {SHARE: shares, POSITIVE: scales}
    own = {name: draw(fitting[kind.supports[name]]) for name in sorted(changed)}
    if not issubclass(kind, tuple(ADSTOCKS.values())) or kind is NoAdstock:
        return kind(priors=own)
    return kind(draw(st.integers(0, 12)), draw(st.booleans()), priors=own)


@st.composite
def responses(draw):
    steps = []
    for kinds in draw(st.permutations([ADSTOCKS, SATURATIONS])):
        if draw(st.booleans()):
            steps.append(draw(transforms(kinds[draw(st.sampled_from(sorted(kinds)))])))
    view = STRENGTHS[draw(st.sampled_from(sorted(STRENGTHS)))]
    return Response(*steps, strength=draw(st.none() | st.builds(view, priors)))


@settings(deadline=None, max_examples=150)
@given(responses())
def test_round_trip(response):
    again = Response.from_dict(response.to_dict())
    assert again == response
    assert hash(again) == hash(response)
    assert again.priors == response.priors


@pytest.mark.parametrize("name", TRANSFORMS)
def test_bare_kind_is_read_with_its_defaults(name):
    assert Response.from_dict({"transforms": [name]}).transforms == (TRANSFORMS[name](),)


def test_order_is_meaning():
    x = np.array([0.0, 1.0, 0.0, 0.0])
    theta = {"alpha": np.array(0.5), "half": np.array(0.5), "slope": np.array(2.0)}
    first, second = GeometricAdstock(l_max=2), HillSaturation()
    there = Response(first, second).curve(np, x, theta)
    back = Response(second, first).curve(np, x, theta)
    assert Response(first, second) != Response(second, first)
    assert not np.allclose(there, back)
    hill = second.curve(np, x, theta)
    np.testing.assert_allclose(back, first.apply(np, hill, theta))


def test_default_view_is_that_by_budget_for_media_and_that_over_the_range_for_plain_edges():
    own = Prior("HalfNormal", sigma=0.1)
    assert Response(HillSaturation()).strength == MediaContribution()
    assert Response().strength == RangeContribution()
    assert Response(HillSaturation(), strength=own).strength == MeanContribution(own)
    assert Response(strength=own).strength == RangeContribution(own)
    assert Response.from_dict({"strength": own.to_dict()}).strength == RangeContribution(own)


def test_reach_adds_up():
    assert Response(GeometricAdstock(l_max=5), HillSaturation()).reach == 5
    assert Response().reach == 0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Response(GeometricAdstock), "made of adstocks and saturations; got <class"),
        (lambda: Response(None), "made of adstocks"),
        (lambda: Response([GeometricAdstock()]), "made of adstocks"),
        (lambda: Response("GeometricAdstock"), "made of adstocks"),
        (lambda: Response(GeometricAdstock(), DelayedAdstock()), "share the parameter 'alpha'"),
        (lambda: Response(strength=3), "strength is a Prior or one of.*got 3"),
        (lambda: Response(strength=MeanContribution), "strength is a Prior or one of"),
        (lambda: Response(strength=ReturnOnSpend(2)), "ReturnOnSpend must be a Prior; got 2"),
        (lambda: Response(strength=Coefficient(None)), "Coefficient must be a Prior"),
        (lambda: GeometricAdstock(priors={"alpha": 0.5}), "'alpha' must be a Prior; got 0.5"),
        (lambda: GeometricAdstock(priors={"alfa": Prior("Normal")}), "'alfa'.*mean 'alpha'"),
        (lambda: HillSaturation(priors=[1]), r"priors is a mapping of parameter.*\[1\]"),
        (lambda: GeometricAdstock("8"), "l_max, a number of periods.*'8'.*Write 8"),
        (lambda: Response.from_dict("hill"), "response must be a mapping; got 'hill'"),
        (lambda: Response.from_dict(None), "response must be a mapping; got None"),
        (lambda: Response.from_dict({"transform": []}), "'transform'.*Did you mean 'transforms'"),
        (lambda: Response.from_dict({"transforms": "HillSaturation"}), "transforms is a list"),
        (lambda: Response.from_dict({"transforms": ["HilSaturation"]}), "mean 'HillSaturation'"),
        (lambda: Response.from_dict({"transforms": [{"l_max": 3}]}), "'None' is no transform"),
        (lambda: Response.from_dict({"transforms": [3]}), "'3' is no transform"),
        (
            lambda: Response.from_dict({"transforms": [{"kind": "GeometricAdstock", "lmax": 3}]}),
            "GeometricAdstock: unknown key 'lmax'.*Did you mean 'l_max'",
        ),
        (
            lambda: Response.from_dict({"transforms": [{"kind": "HillSaturation", "priors": [1]}]}),
            "HillSaturation: priors must be a mapping",
        ),
        (lambda: Response.from_dict({"strength": 3}), "strength must be a mapping; got 3"),
        (lambda: Response.from_dict({"strength": {"kind": "Coef"}}), "kind is one of Coefficient"),
        (lambda: Response.from_dict({"strength": {"kind": ["a"]}}), "kind is one of"),
        (lambda: Response.from_dict({"strength": {"kind": "Coefficient"}}), "A prior is written"),
        (
            lambda: Response.from_dict({"strength": {"kind": "Coefficient", "priro": {}}}),
            "unknown key 'priro'.*Did you mean 'prior'",
        ),
        (lambda: NormalNoise(0.3), "NormalNoise: sigma must be a Prior; got 0.3"),
        (lambda: StudentTNoise(nu=4), "StudentTNoise: nu must be a Prior; got 4"),
        (lambda: noise_from_dict("student"), "noise is one of normal, student_t.*'student_t'"),
        (lambda: noise_from_dict(3), "noise is one of"),
        (lambda: noise_from_dict({"kind": "normal", "nu": {}}), "unknown key 'nu'"),
        (lambda: noise_from_dict({"kind": "normal", "sigma": 2}), "A prior is written"),
    ],
)
def test_bad_part_is_refused_with_advice(make, words):
    with pytest.raises(SpecError, match=words):
        make()


@pytest.mark.parametrize(
    "noise", [NormalNoise(), StudentTNoise(), StudentTNoise(nu=Prior("Gamma", alpha=3, beta=1))]
)
def test_noise_round_trip(noise):
    assert noise_from_dict(noise_to_dict(noise)) == noise
