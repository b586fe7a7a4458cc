"""The search space: what may vary, on which scale, and how a point is written down.

A point has three forms: texts (as a TuningTrial records them), values (as a training script reads them) and a
row of numbers (as a model sees them: numeric parameters on [0, 1], categories as 0, 1, 2 …).
"""

from tuning_operator.core.space.choices import Categorical, Discrete
from tuning_operator.core.space.parameters import Parameter
from tuning_operator.core.space.placing import Value
from tuning_operator.core.space.points import Space
from tuning_operator.core.space.ranges import Continuous, Integer
from tuning_operator.core.space.scales import Scale

__all__ = ["Categorical", "Continuous", "Discrete", "Integer", "Parameter", "Scale", "Space", "Value"]
