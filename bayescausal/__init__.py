"""bayescausal: the causal graph is the model.

Eight nouns, all frozen values
    Dataset, Graph, Prior, Response, Estimand, Experiment, Spec, Fit
Verbs, free functions
    identify, workshop, second_opinion          may I ask?
    augment, diagnose_augmentation              recombine rows first?
    build, fit, diagnose                        learn
    effect, contributions, roas, mroas,
    decompose, counterfactual, do               ask
    check_experiments, conflicts, reconcile,
    leave_out, evidence                         do tests and model agree?
    rank_experiments                            which test next?
    budget_plans, payoffs                       for which decision?
    summarize                                   reduce draws to a table
    report, plot_*                              show
    save (a method of Fit), load, load_example  keep

Every name below is loaded on first use, so that ``import bayescausal`` costs milliseconds.
"""

import lazy_loader as lazy

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submodules=["errors"],
    submod_attrs={
        # what is claimed
        "data.dataset": ["Dataset"],
        "graphs.edge": ["Edge"],
        "graphs.graph": ["Graph"],
        "specs.prior": ["Prior"],
        "specs.response": [
            "Coefficient",
            "MeanContribution",
            "MediaContribution",
            "RangeContribution",
            "Response",
            "ReturnOnSpend",
        ],
        "specs.adstock": [
            "BinomialAdstock",
            "DelayedAdstock",
            "GeometricAdstock",
            "NoAdstock",
            "WeibullCDFAdstock",
            "WeibullPDFAdstock",
        ],
        "specs.saturation": [
            "ExponentialSaturation",
            "HillSaturation",
            "LogisticSaturation",
            "MichaelisMentenSaturation",
            "NoSaturation",
            "RootSaturation",
            "TanhSaturation",
        ],
        "specs.baseline": [
            "HSGPTrend",
            "Intercept",
            "LinearTrend",
            "MonthlySeasonality",
            "PiecewiseTrend",
            "WeeklySeasonality",
            "YearlySeasonality",
        ],
        "specs.events": ["Event", "Holidays"],
        "specs.noise": ["AR1Noise", "NormalNoise", "StudentTNoise"],
        "experiments.estimand": ["Estimand", "Plus", "Times", "incremental", "steady_state"],
        "experiments.experiment": ["Experiment"],
        "experiments.geo_cells": ["GeoCell"],
        "experiments.geo_panel": ["geo_test"],
        "experiments.geo_test": ["GeoTest"],
        "experiments.table": ["experiments_from_frame"],
        "specs.augmentation": ["Augmentation"],
        "specs.spec": ["Spec"],
        # may I ask?
        "identification.identification": ["Identification"],
        "identification.verdicts": ["identify"],
        "identification.ladder": ["Grade", "grade"],
        "validation.second_opinion": ["SecondOpinion", "compare", "second_opinion"],
        # recombine rows first?
        "augmentation.augment": ["Augmented", "augment"],
        "augmentation.conditionals": ["KNearest", "NadarayaWatson", "ResidualBootstrap"],
        "augmentation.local_linear": ["LocalLinear"],
        "augmentation.forest": ["Forest"],
        "augmentation.donors": ["Conditional", "Donors", "Given"],
        "augmentation.diagnostics": ["AugmentationDiagnostics", "diagnose_augmentation"],
        # learn
        "model.build": ["build"],
        "inference.fit": ["Fit", "fit"],
        "inference.storage": ["load"],
        "validation.eta_calibration": ["EtaCalibration", "calibrate_eta"],
        "validation.diagnostics": ["Diagnostics", "diagnose"],
        # ask
        "queries.worlds": ["counterfactual", "do"],
        "queries.effects": [
            "contributions",
            "decompose",
            "effect",
            "mroas",
            "roas",
        ],
        "queries.curves": ["adstock_curve", "response_curve"],
        "queries.summary": ["summarize"],
        "validation.experiment_checks": [
            "Conflict",
            "Reconciliation",
            "check_experiments",
            "conflicts",
            "reconcile",
        ],
        "validation.augmentation_effect": ["compare_augmentation"],
        "validation.leave_one_out": ["LeaveOneOut", "leave_one_out"],
        "validation.refits": ["evidence", "leave_out"],
        "decisions.experiment_ranking": ["Candidate", "rank_experiments"],
        "decisions.decision": ["Decision", "payoffs"],
        "decisions.budget_plans": ["budget_plans"],
        # show
        "presentation.geo_plots": ["plot_geo_test"],
        "presentation.plots": [
            "plot_adstock",
            "plot_contributions",
            "plot_curves",
            "plot_diagnostics",
            "plot_fit",
            "plot_roas",
        ],
        "presentation.market_plots": ["plot_roas_by_unit"],
        "presentation.augmentation_plots": ["plot_augmentation"],
        "presentation.experiment_plots": ["plot_evidence", "plot_reconciliation"],
        "presentation.report": ["effects_table", "report"],
        "presentation.workshop": ["workshop"],
        "presentation.config": ["Config"],
        # worlds with known effects
        "truth.examples": ["Example", "load_example"],
        "truth.simulate": ["World", "simulate"],
    },
)
