"""What a person types to get neural-fields processors, and the formats and cycles that follow.

Fixed-point formats: a position is unsigned, 24 bits of fraction; a level's scale has 13 bits and 12
of fraction; a place in a cell has 8; a corner's weight 12, and the eight sum to one exactly.
Features, activations and weights of matrices are two's complement; so are results, of 16 bits.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from archsim.engines import EngineSpec

BankMap = Literal["index", "padded", "fold", "parity"]
MlpMode = Literal["single", "layered"]

POSITION_BITS = 24  # of a coordinate, all of them fraction
SCALE_BITS, SCALE_FRACTION = 25, 12
CELL_BITS = 14  # of a cell's number along an axis
FRACTION_BITS = 8  # of a place in a cell
WEIGHT_BITS = 12  # of a corner's weight, fraction; one is 2^12
RESULT_BITS = 16
SHIFT_BITS = 6  # of a layer's shift
CORNERS = 8
AXES = 3

ADDRESS_STAGES = 6  # registers from a position to its corners' banks
INTERPOLATE_CYCLES = 4  # bank to corner, products, their sum, the sum over turns
MOST_LAYERS = 8


class NgpcSpec(EngineSpec):
    """Neural-fields processors: engines that encode positions by grids, each with a small MLP.

    A processor has ``engines`` encoding engines, one a level of a grid and query in flight. An
    engine keeps its level's table in banks. Where the corners of a cell meet in a bank they take
    turns; a queue before each engine lets levels run apart, and a join waits for all of them. What
    they interpolate goes through an MLP: all layers on one array in turn (``single``), or an array
    for each (``layered``).
    """

    kind: Literal["ngpc"] = "ngpc"

    # encoding
    engines: Annotated[
        int, Field(ge=1, le=32, description="encoding engines of a processor: levels x queries")
    ] = 16
    parallel: Literal[1, 2, 4, 8] = Field(
        8, description="queries encoded in parallel at most, where a grid has few levels"
    )
    table_log2: Annotated[
        int, Field(ge=3, le=24, description="entries of an engine's table memory, as log2")
    ] = 18
    features: Literal[1, 2, 4, 8] = Field(2, description="features of an entry")
    feature_bits: Literal[8, 16] = Field(16, description="bits of a feature in the tables")
    banks: Literal[1, 2, 4, 8, 16, 32, 64] = Field(
        8, description="banks of an engine's table, an entry a cycle each"
    )
    bank_map: BankMap = Field(
        "index",
        description="bank of an entry: its low bits, also with rows of grids that are not hashed "
        "padded (padded); all its bits folded (fold); its vertex's parity along each axis (parity, "
        "8 banks), for which tables must be fitted",
    )
    sram_cycles: Annotated[int, Field(ge=1, le=4, description="of a bank's read, pipelined")] = 2
    fifo_depth: Annotated[
        int, Field(ge=0, le=64, description="queries that wait before each engine; 0: lock-step")
    ] = 8

    # mlp
    mlp_mode: MlpMode = Field(
        "single", description="one array for all layers in turn, or one for each (layered)"
    )
    mlp_width: Literal[4, 8, 16, 32, 64, 128] = Field(
        64, description="rows and columns of an array: most inputs and outputs of a layer"
    )
    mlp_layers: Annotated[
        int, Field(ge=1, le=MOST_LAYERS, description="layers whose weights a processor keeps")
    ] = 5
    mlp_stages: Annotated[
        int, Field(ge=2, le=9, description="cycles of a layer: products, their sums, ReLU")
    ] = 8
    act_bits: Literal[8, 16] = Field(16, description="bits of activations and of weights")
    outputs: Annotated[int, Field(ge=1, le=16, description="values of a result")] = 4

    # around processors: a model, of which no hardware is generated
    nfps: Annotated[int, Field(ge=1, le=1024, description="processors beside the GPU")] = 1
    batch_queries: Annotated[
        int, Field(ge=256, le=1 << 26, description="queries that the GPU hands over at a time")
    ] = 1 << 21
    ray_groups: Literal[1, 2] = Field(
        2,
        description="groups of rays in turn: with 2 the GPU works on one while the other is queried"
        "; more than two hide no more",
    )
    rest_speedup: Annotated[
        float, Field(ge=1, le=100, description="of the GPU's remaining kernels, fused, over before")
    ] = 9.94
    tables: Literal["resident", "spilled", "cut"] = Field(
        "resident",
        description="resident: taken to lie in the engines, even if they do not fit; spilled: what "
        "does not fit is read from DRAM, query by query; cut: hashed levels have no more entries "
        "than an engine's memory, for which the field is fitted anew",
    )

    @model_validator(mode="after")
    def _queries_have_engines(self) -> Self:
        if self.parallel > self.engines:
            raise ValueError(
                f"parallel must be at most the {self.engines} engines, not {self.parallel}"
            )
        return self

    @model_validator(mode="after")
    def _banks_suit_tables(self) -> Self:
        if self.bank_map == "parity" and self.banks != CORNERS:
            raise ValueError(f"bank_map: parity takes {CORNERS} banks, not {self.banks}")
        if 2 * self.banks > self.entries:
            raise ValueError(
                f"banks must be at most half of the {self.entries} entries, not {self.banks}"
            )
        return self

    @model_validator(mode="after")
    def _mlp_can_be_cut(self) -> Self:
        most = self.mlp_width.bit_length() + 1
        if self.mlp_stages > most:
            raise ValueError(
                f"mlp_stages must be at most {most} with a width of {self.mlp_width}, "
                f"not {self.mlp_stages}"
            )
        if self.outputs > self.mlp_width:
            raise ValueError(
                f"outputs must be at most the width of {self.mlp_width}, not {self.outputs}"
            )
        return self

    @property
    def entries(self) -> int:
        """Entries of an engine's table memory."""
        return 1 << self.table_log2

    @property
    def rows(self) -> int:
        """Entries of a bank."""
        return self.entries // self.banks

    @property
    def encode_cycles(self) -> int:
        """Cycles from a query's last turn at the banks to its features in the join."""
        return self.sram_cycles + INTERPOLATE_CYCLES

    @property
    def arrays(self) -> int:
        """Arrays of the MLP."""
        return self.mlp_layers if self.mlp_mode == "layered" else 1

    @property
    def join_depth(self) -> int:
        """Groups of queries that may be between their start and the MLP: never what limits."""
        return self.fifo_depth + self.encode_cycles + self.parallel + 3

    @property
    def result_depth(self) -> int:
        """Queries that may be between the join and the port: as many as the MLP holds, and two."""
        return self.mlp_stages * self.arrays + 2
