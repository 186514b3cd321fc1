"""Synthesis study of the tensor-engine family: PEs and arrays over clock targets, open libraries.

What is compared, and at which clock, stands in `conventions`; what came out, in `results` and
`promises`. ``python -m archsim.reproduce.tpe_study`` measures it again.
"""

from archsim.reproduce.tpe_study.conventions import CONVENTIONS as CONVENTIONS
from archsim.reproduce.tpe_study.promises import Promise as Promise
from archsim.reproduce.tpe_study.promises import promises as promises
from archsim.reproduce.tpe_study.results import LIBRARIES as LIBRARIES
from archsim.reproduce.tpe_study.results import Gain as Gain
from archsim.reproduce.tpe_study.results import Result as Result
from archsim.reproduce.tpe_study.results import anatomy as anatomy
from archsim.reproduce.tpe_study.results import frequency_rule_mhz as frequency_rule_mhz
from archsim.reproduce.tpe_study.results import gains as gains
from archsim.reproduce.tpe_study.results import growth as growth
from archsim.reproduce.tpe_study.results import ladder as ladder
from archsim.reproduce.tpe_study.results import path_ratio as path_ratio
from archsim.reproduce.tpe_study.results import provenance as provenance
from archsim.reproduce.tpe_study.results import results as results
from archsim.reproduce.tpe_study.results import runs_of as runs_of
from archsim.reproduce.tpe_study.results import shortest as shortest
