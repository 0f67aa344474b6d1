# What a job asks for where its frames, its pixels or its module decide it; all else stands in its rule or in the profile.
from handbench.job_memory import ask_for_drawing, ask_for_trained, ask_for_training

# Jobs of a cluster have a card each to themselves; on one machine they share what is there.
CLUSTERED = workflow.remote_exec or EXECUTOR != LOCAL


def cards_of(module):
    """Of all machines that train a module together."""
    return settings.modules[module].devices * settings.modules[module].nodes if CLUSTERED else None


def machines_of(module):
    return settings.modules[module].nodes if CLUSTERED else None
