import { SETTINGS } from '../support/secured-notes.js';
import { describeDeviceFlowChecks } from './device-flow-checks.js';

for (const setting of SETTINGS) if (setting !== 'same issuer') describeDeviceFlowChecks(setting);
