//! The cloud model through its public interface: bytes in, bytes out, and whole sessions.

#[cfg(test)]
mod applications;
#[cfg(test)]
mod contest;
#[cfg(test)]
mod delivery;
#[cfg(test)]
mod driver;
#[cfg(test)]
mod dropping;
#[cfg(test)]
mod login;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod packets;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod scale;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod serving;
#[cfg(test)]
mod support;
#[cfg(test)]
mod typed;
