"""From corrections and examples to a better model: training, evaluation, promotion."""
