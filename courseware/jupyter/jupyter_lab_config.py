"""JupyterLab's settings for the course; used by `course lab` only."""

c = get_config()  # noqa: F821  (JupyterLab provides it)
c.LabApp.default_url = "/lab/tree/notebooks/00_start_here.ipynb"
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
