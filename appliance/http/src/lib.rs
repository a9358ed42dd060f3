//! strongroom-http
