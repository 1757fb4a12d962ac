"""The lists that the learner keeps: KPIs, papers, artifacts, posts, predictions."""
