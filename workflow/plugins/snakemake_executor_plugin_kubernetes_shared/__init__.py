"""The Kubernetes plugin for pods that mount one volume: jobs read and write where the workflow itself does.

The plugin as it comes takes it that pods share nothing, and moves the files that rules name. A job of this workflow
writes a folder and names one file of it, so that the rest would stay in a pod that is gone. Everything else is the
plugin's own.
"""

import shlex
from dataclasses import replace

from snakemake_executor_plugin_kubernetes import Executor as PodExecutor
from snakemake_executor_plugin_kubernetes import ExecutorSettings
from snakemake_executor_plugin_kubernetes import common_settings as of_the_plugin
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

__all__ = ["Executor", "ExecutorSettings", "common_settings"]

common_settings = replace(
    of_the_plugin,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    pass_default_storage_provider_args=False,
    auto_deploy_default_storage_provider=False,
)


class Executor(PodExecutor):
    """Its jobs begin in the folder of the workflow, not in an empty one."""

    def get_job_exec_prefix(self, job: JobExecutorInterface) -> str:
        return f"cd {shlex.quote(str(self.workflow.workdir_init))}"
