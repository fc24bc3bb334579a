import { describeDeviceFlowChecks } from './device-flow-checks.js';

describeDeviceFlowChecks('same issuer');
