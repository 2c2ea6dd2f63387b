"""bayescausal: the causal graph is the model.

Eight nouns, all frozen values
    Dataset, Graph, Prior, Response, Estimand, Experiment, Spec, Fit
Verbs, free functions
    identify, workshop, second_opinion          may I ask?
    check_graph, discover                       does the graph fit the data, and the data the graph?
    augment, diagnose_augmentation              recombine rows first?
    build, fit, diagnose                        learn
    effect, contributions, roas, mroas,
    decompose, decomposition, synergy,
    business_measures, differences,
    counterfactual, do                          ask
    overlap, extrapolated_share                 has it been seen in the data?
    calibrate                                   do posteriors of simulated data hold the truth?
    companion_regression                        what would least squares say?
    check_experiments, conflicts, reconcile,
    leave_out, evidence                         do tests and model agree?
    rank_experiments                            which test next?
    optimize, budget_plans, payoffs             for which decision?
    summarize                                   reduce draws to a table
    report, plot_*                              show
    save (a method of Fit), load, load_example  keep

Every name below is loaded on first use, so that ``import bayescausal`` costs milliseconds.
"""

from typing import Any

import lazy_loader as lazy

from bayescausal._process import collector_paused

__version__ = "0.1.0"

_load, __dir__, __all__ = lazy.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    with collector_paused():
        return _load(name)
