-- On which computers an application decided something, and the day it last did: one row a pair, written by the fold.
CREATE TABLE audit_application_computer (
    application uuid NOT NULL,
    organization_number integer NOT NULL,
    computer_number integer NOT NULL,
    last_day date NOT NULL,
    PRIMARY KEY (application, organization_number, computer_number)
);
CREATE INDEX audit_application_computer_recent ON audit_application_computer (application, organization_number, last_day);
CREATE INDEX audit_application_computer_old ON audit_application_computer (last_day);
