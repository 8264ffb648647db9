"""The packages of a wheel; everything else is in pyproject.toml."""

from setuptools import find_packages, setup

floors = find_packages(include=["data*", "eval*", "train*", "recipes*"])
setup(packages=["educe", *(f"educe.{package}" for package in floors)])
