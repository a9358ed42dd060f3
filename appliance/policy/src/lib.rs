//! strongroom-policy
