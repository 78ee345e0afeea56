"""Rows as people read them: tables, pictures, pages, Pareto fronts."""
