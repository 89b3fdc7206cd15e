//! The doctor: each finding with a session that has it, and with a near miss that has not.

#[cfg(test)]
mod alive;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod delivery;
#[cfg(test)]
mod deltas;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod login;
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod reconnects;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod robustness;
#[cfg(test)]
mod subscriptions;
#[cfg(test)]
mod tape;
#[cfg(test)]
mod versions;
