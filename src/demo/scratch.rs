//! The folder that everything of the demo lies in, readable by its owner only, and gone when the demo ends:
//! by [`Scratch::remove`], which tells if it could not, or at the latest when the handle is dropped.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::error::DemoError;
use crate::model::random::Random;

/// A folder that goes with this handle.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    is_there: bool,
}

impl Scratch {
    /// A new empty folder below the system's folder for temporary files.
    pub fn new(random: &dyn Random) -> Result<Self, DemoError> {
        const TRIES: usize = 8;
        let mut tries = 0;
        loop {
            tries += 1;
            let mut bytes = [0; 8];
            random.fill(&mut bytes);
            let name = format!("postern-demo-{:016x}", u64::from_be_bytes(bytes));
            let path = std::env::temp_dir().join(name);
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path, is_there: true }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < TRIES => {}
                Err(source) => return Err(DemoError::Scratch { doing: "make the folder", path, source }),
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the folder with all that is in it.
    ///
    /// # Errors
    /// [`DemoError::Scratch`]; then the folder's path is what somebody has to look at.
    pub fn remove(mut self) -> Result<(), DemoError> {
        self.is_there = false;
        match std::fs::remove_dir_all(&self.path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(DemoError::Scratch { doing: "remove the folder", path: self.path.clone(), source })
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.is_there {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::model::random::SystemRandom;

    #[test]
    fn a_scratch_folder_is_private_and_goes_whichever_way_the_demo_ends() {
        for by_drop in [true, false] {
            let scratch = Scratch::new(&SystemRandom).unwrap();
            let path = scratch.path().to_owned();
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
            std::fs::create_dir(path.join("data")).unwrap();
            std::fs::write(path.join("data/postern.db"), "rows").unwrap();
            if by_drop {
                drop(scratch);
            } else {
                scratch.remove().unwrap();
            }
            assert!(!path.exists());
        }
    }
}
