//! The OpenAPI document, from the route tables.
