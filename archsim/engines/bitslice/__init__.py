"""Bit-slice arrays: PEs that take only an operand's digits other than zero.

Two designs share a spec and its commands: modules ``columns_...`` have the faces of arrays whose
columns go at their own pace (opt3, opt4c, opt4e), ``lockstep_...`` those of arrays in which all PEs
step together (laconic, bitlet).
"""
