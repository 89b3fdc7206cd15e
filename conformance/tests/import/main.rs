//! The replay from outside: documented and recorded logs, excerpts of them, and forgeries.

#[cfg(test)]
mod captures;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod excerpts;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod forgeries;
#[cfg(test)]
mod long;
#[cfg(test)]
mod missing;
#[cfg(test)]
mod recordings;
#[cfg(test)]
mod robustness;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod synthetic;
#[cfg(test)]
mod tolerances;
