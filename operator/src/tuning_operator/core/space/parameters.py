"""The kinds of parameters."""

from tuning_operator.core.space.choices import Categorical, Discrete
from tuning_operator.core.space.ranges import Continuous, Integer

Numeric = Continuous | Integer | Discrete
"""What lies on a scale."""
Parameter = Numeric | Categorical
"""What may vary."""
