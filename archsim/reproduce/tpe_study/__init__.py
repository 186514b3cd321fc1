"""Synthesis study of the tensor-engine family: PEs and arrays over clock targets, open libraries.

What is compared, and at which clock, stands in `conventions`; what came out, in `efficiency` and
`verdicts`. ``python -m archsim.reproduce.tpe_study`` measures it again.
"""

from archsim.reproduce.tpe_study.conventions import CONVENTIONS as CONVENTIONS
from archsim.reproduce.tpe_study.efficiency import LIBRARIES as LIBRARIES
from archsim.reproduce.tpe_study.efficiency import Gain as Gain
from archsim.reproduce.tpe_study.efficiency import Result as Result
from archsim.reproduce.tpe_study.efficiency import anatomy as anatomy
from archsim.reproduce.tpe_study.efficiency import frequency_rule_mhz as frequency_rule_mhz
from archsim.reproduce.tpe_study.efficiency import gains as gains
from archsim.reproduce.tpe_study.efficiency import growth as growth
from archsim.reproduce.tpe_study.efficiency import ladder as ladder
from archsim.reproduce.tpe_study.efficiency import path_ratio as path_ratio
from archsim.reproduce.tpe_study.efficiency import provenance as provenance
from archsim.reproduce.tpe_study.efficiency import results as results
from archsim.reproduce.tpe_study.efficiency import runs_of as runs_of
from archsim.reproduce.tpe_study.efficiency import shortest as shortest
from archsim.reproduce.tpe_study.verdicts import Promise as Promise
from archsim.reproduce.tpe_study.verdicts import array_promises as array_promises
from archsim.reproduce.tpe_study.verdicts import promises as promises
