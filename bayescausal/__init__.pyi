# ruff: noqa: I001 (in the order of use, not of the alphabet)
"""The public names, by the module that they are loaded from on first use."""

from . import errors as errors

# what is claimed
from .data.dataset import Dataset as Dataset
from .data.future import Future as Future
from .graphs.edge import Edge as Edge
from .graphs.graph import Graph as Graph
from .specs.prior import Prior as Prior
from .specs.response import (
    Coefficient as Coefficient,
    MeanContribution as MeanContribution,
    MediaContribution as MediaContribution,
    RangeContribution as RangeContribution,
    Response as Response,
    ReturnOnSpend as ReturnOnSpend,
)
from .specs.adstock import (
    BinomialAdstock as BinomialAdstock,
    DelayedAdstock as DelayedAdstock,
    GeometricAdstock as GeometricAdstock,
    NoAdstock as NoAdstock,
    WeibullCDFAdstock as WeibullCDFAdstock,
    WeibullPDFAdstock as WeibullPDFAdstock,
)
from .specs.saturation import (
    ExponentialSaturation as ExponentialSaturation,
    HillSaturation as HillSaturation,
    LogisticSaturation as LogisticSaturation,
    MichaelisMentenSaturation as MichaelisMentenSaturation,
    NoSaturation as NoSaturation,
    RootSaturation as RootSaturation,
    TanhSaturation as TanhSaturation,
)
from .specs.baseline import (
    HSGPTrend as HSGPTrend,
    Intercept as Intercept,
    LinearTrend as LinearTrend,
    MonthlySeasonality as MonthlySeasonality,
    PiecewiseTrend as PiecewiseTrend,
    WeeklySeasonality as WeeklySeasonality,
    YearlySeasonality as YearlySeasonality,
)
from .specs.events import (
    Event as Event,
    Holidays as Holidays,
)
from .specs.noise import (
    AR1Noise as AR1Noise,
    NormalNoise as NormalNoise,
    StudentTNoise as StudentTNoise,
)
from .experiments.estimand import (
    Estimand as Estimand,
    Plus as Plus,
    Times as Times,
    incremental as incremental,
    steady_state as steady_state,
)
from .experiments.experiment import Experiment as Experiment
from .experiments.geo_cells import GeoCell as GeoCell
from .experiments.geo_panel import geo_test as geo_test
from .experiments.geo_test import GeoTest as GeoTest
from .experiments.table import experiments_from_frame as experiments_from_frame
from .specs.augmentation import Augmentation as Augmentation
from .specs.row_methods import (
    Ancestral as Ancestral,
    Reduce as Reduce,
    Threshold as Threshold,
)
from .specs.spec import Spec as Spec
from .specs.experts import Experts as Experts
from .specs.graph_decision import GraphDecision as GraphDecision

# may I ask?
from .identification.identification import Identification as Identification
from .identification.verdicts import identify as identify
from .identification.ladder import (
    Grade as Grade,
    grade as grade,
)
from .validation.graph_check import GraphCheck as GraphCheck
from .validation.checkup import (
    Checkup as Checkup,
    check as check,
)
from .validation.discovery import discover as discover
from .validation.discovery_result import Discovery as Discovery
from .validation.objections import (
    Doubt as Doubt,
    Objection as Objection,
)
from .validation.independence import check_graph as check_graph
from .validation.second_opinion import (
    SecondOpinion as SecondOpinion,
    compare as compare,
    second_opinion as second_opinion,
)

# recombine rows first?
from .augmentation.augment import (
    Augmented as Augmented,
    augment as augment,
)
from .augmentation.conditionals import (
    KNearest as KNearest,
    NadarayaWatson as NadarayaWatson,
    ResidualBootstrap as ResidualBootstrap,
)
from .augmentation.local_linear import LocalLinear as LocalLinear
from .augmentation.forest import Forest as Forest
from .augmentation.donors import (
    Conditional as Conditional,
    Donors as Donors,
    ParentValues as ParentValues,
)
from .augmentation.diagnostics import (
    AugmentationDiagnostics as AugmentationDiagnostics,
    diagnose_augmentation as diagnose_augmentation,
)

# learn
from .model.build import build as build
from .inference.fit import Fit as Fit
from .inference.fitting import fit as fit, refit as refit
from .inference.many_fits import Fits as Fits, fit_many as fit_many
from .inference.storage import load as load
from .validation.eta_calibration import (
    EtaCalibration as EtaCalibration,
    calibrate_eta as calibrate_eta,
)
from .validation.diagnostics import (
    Diagnostics as Diagnostics,
    diagnose as diagnose,
)

# ask
from .queries.worlds import (
    counterfactual as counterfactual,
    do as do,
)
from .queries.forecasts import forecast as forecast
from .inference.extension import (
    ExtendedFit as ExtendedFit,
    extend as extend,
)
from .queries.effects import (
    contributions as contributions,
    decompose as decompose,
    effect as effect,
    mroas as mroas,
    roas as roas,
)
from .queries.extrapolation import extrapolated_share as extrapolated_share
from .queries.decomposition import (
    decomposition as decomposition,
    synergy as synergy,
)
from .queries.measures import (
    business_measures as business_measures,
    differences as differences,
    ranks as ranks,
)
from .queries.curves import (
    adstock_curve as adstock_curve,
    response_curve as response_curve,
    spend_response as spend_response,
)
from .queries.summary import summarize as summarize
from .validation.experiment_checks import (
    Conflict as Conflict,
    Reconciliation as Reconciliation,
    check_experiments as check_experiments,
    conflicts as conflicts,
    reconcile as reconcile,
)
from .validation.augmentation_effect import compare_augmentation as compare_augmentation
from .validation.holdouts import (
    Holdout as Holdout,
    compare_fits as compare_fits,
    holdout as holdout,
)
from .validation.companion_regression import (
    CompanionRegression as CompanionRegression,
    companion_regression as companion_regression,
)
from .validation.overlap import (
    Overlap as Overlap,
    overlap as overlap,
)
from .validation.leave_one_out import (
    LeaveOneOut as LeaveOneOut,
    leave_one_out as leave_one_out,
)
from .validation.sensitivity import (
    Sensitivity as Sensitivity,
    sensitivity as sensitivity,
)
from .validation.misspecification import (
    Misspecification as Misspecification,
    misspecification as misspecification,
)
from .validation.alternative_specs import alternative_specs as alternative_specs
from .validation.specification_curve import (
    SpecificationCurve as SpecificationCurve,
    specification_curve as specification_curve,
)
from .validation.calibration import (
    Calibration as Calibration,
    calibrate as calibrate,
)
from .validation.model_uncertainty import (
    ModelUncertainty as ModelUncertainty,
    model_uncertainty as model_uncertainty,
)
from .validation.prior_sensitivity import (
    PriorSensitivity as PriorSensitivity,
    prior_sensitivity as prior_sensitivity,
)
from .validation.tipping_point import (
    TippingPoint as TippingPoint,
    tipping_point as tipping_point,
)
from .validation.refutation import (
    Refutation as Refutation,
    refute as refute,
)
from .validation.refuters import (
    BlockBootstrap as BlockBootstrap,
    DummyOutcome as DummyOutcome,
    LeftOutBlocks as LeftOutBlocks,
    PlaceboBlocks as PlaceboBlocks,
    PlaceboShift as PlaceboShift,
    RandomCommonCause as RandomCommonCause,
)
from .validation.refits import (
    evidence as evidence,
    leave_out as leave_out,
)
from .decisions.experiment_ranking import (
    Candidate as Candidate,
    rank_experiments as rank_experiments,
)
from .decisions.decision import (
    Decision as Decision,
    payoffs as payoffs,
)
from .decisions.budget_plans import budget_plans as budget_plans
from .decisions.optimizer import optimize as optimize
from .decisions.scenarios import plan as plan
from .decisions.allocation import Allocation as Allocation
from .decisions.objectives import (
    CVaR as CVaR,
    MeanLessSD as MeanLessSD,
    Quantile as Quantile,
)

# show
from .presentation.geo_plots import plot_geo_test as plot_geo_test
from .presentation.plots import (
    plot_adstock as plot_adstock,
    plot_contributions as plot_contributions,
    plot_curves as plot_curves,
    plot_fit as plot_fit,
    plot_roas as plot_roas,
)
from .presentation.diagnostics_plots import plot_diagnostics as plot_diagnostics
from .presentation.sensitivity_plots import (
    plot_sensitivity as plot_sensitivity,
    plot_specification_curve as plot_specification_curve,
    plot_tipping_point as plot_tipping_point,
)
from .presentation.calibration_plots import plot_calibration as plot_calibration
from .presentation.graph_plots import plot_graph_check as plot_graph_check
from .presentation.refutation_plots import plot_refutation as plot_refutation
from .presentation.discovery_plots import plot_discovery as plot_discovery
from .presentation.decomposition_plots import plot_decomposition as plot_decomposition
from .presentation.forecast_plots import plot_forecast as plot_forecast
from .presentation.spend_plots import (
    plot_allocation as plot_allocation,
    plot_spend_response as plot_spend_response,
)
from .presentation.market_plots import plot_roas_by_unit as plot_roas_by_unit
from .presentation.augmentation_plots import plot_augmentation as plot_augmentation
from .presentation.experiment_plots import (
    plot_evidence as plot_evidence,
    plot_reconciliation as plot_reconciliation,
)
from .presentation.report import (
    effects_table as effects_table,
    report as report,
)
from .presentation.workshop import workshop as workshop
from .presentation.config import Config as Config

# worlds with known effects
from .truth.examples import (
    Example as Example,
    load_example as load_example,
)
from .truth.simulate import (
    World as World,
    simulate as simulate,
)

__version__: str
