//! Failures that were planted in long recordings shrink to what makes them up.

#[cfg(test)]
mod causality;
#[cfg(test)]
mod planted;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod versions;
