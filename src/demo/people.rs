//! The people of the demo: a thousand employees that the directory pushes, and the few who also have an account at
//! the demo IdP and play a part.

use super::idp::Person;

/// The domain that everybody's address is on.
pub const DOMAIN: &str = "acme.test";
/// How many the directory pushes.
pub const EMPLOYEES: usize = GIVEN.len() * FAMILY.len();

const GIVEN: [&str; 40] = [
    "Grace", "Alan", "Amara", "Anton", "Aylin", "Barbara", "Chen", "Clara", "Daniel", "Diego", "Dorothy",
    "Edsger", "Elena", "Farid", "Frances", "Goran", "Hana", "Hedy", "Ingrid", "Ivan", "Jamal", "Joan", "Jun",
    "Karen", "Kofi", "Lars", "Leila", "Maria", "Mateo", "Nadia", "Niklaus", "Olga", "Priya", "Radia", "Rosa",
    "Sofia", "Tim", "Tomas", "Yuki", "Zoe",
];

const FAMILY: [&str; 25] = [
    "Hopper",
    "Adeyemi",
    "Andersson",
    "Becker",
    "Chaudhry",
    "Costa",
    "Dubois",
    "Eriksen",
    "Fischer",
    "Garcia",
    "Haddad",
    "Ito",
    "Jansen",
    "Kovacs",
    "Lindqvist",
    "Moreau",
    "Nakamura",
    "Okafor",
    "Petrov",
    "Rossi",
    "Schneider",
    "Turing",
    "Virtanen",
    "Wang",
    "Yilmaz",
];

/// Somebody who works at Acme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Employee {
    /// What the IdP calls this person for ever: externalId over SCIM, persistent NameID over SAML.
    pub id: String,
    pub email: String,
    pub given_name: String,
    pub family_name: String,
}

impl Employee {
    fn new(id: String, given_name: &str, family_name: &str) -> Self {
        let email = format!("{given_name}.{family_name}@{DOMAIN}").to_ascii_lowercase();
        Self { id, email, given_name: given_name.to_owned(), family_name: family_name.to_owned() }
    }

    pub fn name(&self) -> String {
        format!("{} {}", self.given_name, self.family_name)
    }

    /// The account at the demo IdP.
    pub fn account(&self) -> Person {
        Person {
            id: self.id.clone(),
            email: self.email.clone(),
            given_name: self.given_name.clone(),
            family_name: self.family_name.clone(),
        }
    }
}

/// Who signs in first, just in time, and leaves again.
pub fn ada() -> Employee {
    Employee::new("acme-0001".to_owned(), "Ada", "Lovelace")
}

/// Who is never pushed: a first sign-in by hand makes this member just in time.
pub fn margaret() -> Employee {
    Employee::new("acme-0002".to_owned(), "Margaret", "Hamilton")
}

/// Everybody whom the directory pushes. The first one, Grace Hopper, has an account at the IdP as well.
pub fn employees() -> Vec<Employee> {
    let mut all = Vec::with_capacity(EMPLOYEES);
    for family_name in FAMILY {
        for given_name in GIVEN {
            let id = format!("acme-{:04}", 1001 + all.len());
            all.push(Employee::new(id, given_name, family_name));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_thousand_different_people_are_pushed_and_the_others_are_none_of_them() {
        let all = employees();
        assert_eq!((all.len(), EMPLOYEES), (1000, 1000));
        let mut addresses: HashSet<_> = all.iter().map(|person| person.email.clone()).collect();
        let ids: HashSet<_> = all.iter().map(|person| person.id.clone()).collect();
        assert_eq!((addresses.len(), ids.len()), (1000, 1000));
        assert!(addresses.insert(ada().email) && addresses.insert(margaret().email));
        assert_eq!(all[0].email, "grace.hopper@acme.test");
    }
}
