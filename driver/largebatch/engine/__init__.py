"""The JVM with Spark and SystemDS; no other room knows them."""
