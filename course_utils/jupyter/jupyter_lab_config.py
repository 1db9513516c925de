"""JupyterLab's settings for the course; used by `python -m course_utils lab` only."""

from course_utils.storage import project_root

c = get_config()  # noqa: F821  (JupyterLab provides it)
c.LabApp.default_url = "/lab/tree/notebooks/00_start_here.ipynb"
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.ServerApp.root_dir = str(project_root())
