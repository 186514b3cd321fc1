"""From results to what people read: Pareto reports, figures, timelines, terminal tables."""
