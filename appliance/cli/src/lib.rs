//! strongroom-cli
