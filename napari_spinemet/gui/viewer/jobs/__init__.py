"""Work off the GUI thread: runners of jobs, what each of them is for, and closing amid one."""

from .job_runner import JobRunner, Work, leave_a_core_to_the_interface
from .viewer_jobs import ViewerJobs

__all__ = ["JobRunner", "ViewerJobs", "Work", "leave_a_core_to_the_interface"]
