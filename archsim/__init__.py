"""archsim: simulate, explore and generate accelerators from one spec."""

__version__ = "0.1.0"
