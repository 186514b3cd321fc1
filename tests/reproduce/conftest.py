"""What tests of reproductions share: trained models, fetched as the frontends' tests do."""

from __future__ import annotations

from tests.frontends.conftest import trained

__all__ = ["trained"]
