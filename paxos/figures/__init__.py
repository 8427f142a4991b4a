"""Figures: functions of a trace. They draw what happened and nothing else."""
