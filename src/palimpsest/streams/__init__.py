"""Where tasks come from: split by class, from digits, parquet, folders, the hub, or a third party."""
