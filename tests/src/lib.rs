//! strongroom-tests
