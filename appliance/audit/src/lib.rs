//! strongroom-audit
